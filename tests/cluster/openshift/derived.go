package main

import (
	"context"
	"fmt"
	"strings"

	v1 "github.com/openshift/api/image/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
)

// imagestreamimages: an image as a stream knows it, by the name stream@digest.
type streamImages struct{ streams, images *named }

func (s *streamImages) New() runtime.Object     { return &v1.ImageStreamImage{} }
func (s *streamImages) Destroy()                {}
func (s *streamImages) NamespaceScoped() bool   { return true }
func (s *streamImages) GetSingularName() string { return "imagestreamimage" }
func (s *streamImages) ShortNames() []string    { return []string{"isimage"} }
func (s *streamImages) Get(ctx context.Context, name string, options *metav1.GetOptions) (runtime.Object, error) {
	streamName, digest, found := strings.Cut(name, "@")
	if !found {
		return nil, apierrors.NewBadRequest("the name of an image of a stream is STREAM@DIGEST")
	}
	stream, err := getStream(ctx, s.streams, streamName)
	if err != nil {
		return nil, err
	}
	for _, tag := range stream.Status.Tags {
		for _, event := range tag.Items {
			if event.Image == digest {
				image, err := s.images.Get(ctx, digest, &metav1.GetOptions{})
				if err != nil {
					return nil, err
				}
				result := &v1.ImageStreamImage{Image: *image.(*v1.Image)}
				result.Name, result.Namespace = name, stream.Namespace
				result.CreationTimestamp = event.Created
				return result, nil
			}
		}
	}
	return nil, apierrors.NewNotFound(v1.GroupVersion.WithResource("imagestreamimages").GroupResource(), name)
}

// imagestreammappings: an image and a stream's tag in one request, as a registry sends it after a push.
type streamMappings struct{ streams, images *named }

func (s *streamMappings) New() runtime.Object     { return &v1.ImageStreamMapping{} }
func (s *streamMappings) Destroy()                {}
func (s *streamMappings) NamespaceScoped() bool   { return true }
func (s *streamMappings) GetSingularName() string { return "imagestreammapping" }
func (s *streamMappings) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc,
	options *metav1.CreateOptions) (runtime.Object, error) {
	mapping := object.(*v1.ImageStreamMapping)
	var problems field.ErrorList
	if mapping.Image.Name == "" {
		problems = append(problems, field.Required(field.NewPath("image", "metadata", "name"), ""))
	}
	if mapping.Image.DockerImageReference == "" {
		problems = append(problems, field.Required(field.NewPath("image", "dockerImageReference"), ""))
	}
	if len(problems) > 0 {
		kind := v1.GroupVersion.WithKind("ImageStreamMapping").GroupKind()
		return nil, apierrors.NewInvalid(kind, mapping.Name, problems)
	}
	if validate != nil {
		if err := validate(ctx, mapping); err != nil {
			return nil, err
		}
	}
	stream, err := getStream(ctx, s.streams, mapping.Name)
	if err != nil {
		return nil, err
	}
	if err := s.addImage(ctx, mapping, options); err != nil {
		return nil, err
	}
	tag := mapping.Tag
	if tag == "" {
		tag = "latest"
	}
	event := v1.TagEvent{
		Created:              metav1.Now(),
		DockerImageReference: mapping.Image.DockerImageReference,
		Image:                mapping.Image.Name,
		Generation:           stream.Generation,
	}
	addEvent(stream, tag, event)
	if err := save(ctx, s.streams, stream, options.DryRun); err != nil {
		return nil, err
	}
	return &metav1.Status{Status: metav1.StatusSuccess}, nil
}

func (s *streamMappings) addImage(ctx context.Context, mapping *v1.ImageStreamMapping, options *metav1.CreateOptions) error {
	everywhere := request.WithNamespace(ctx, "")
	_, err := s.images.Create(everywhere, mapping.Image.DeepCopy(), rest.ValidateAllObjectFunc, options)
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// The latest event of a tag comes first; the same image again is no event.
func addEvent(stream *v1.ImageStream, tag string, event v1.TagEvent) {
	for index := range stream.Status.Tags {
		history := &stream.Status.Tags[index]
		if history.Tag != tag {
			continue
		}
		if len(history.Items) == 0 || history.Items[0].Image != event.Image {
			history.Items = append([]v1.TagEvent{event}, history.Items...)
		}
		return
	}
	stream.Status.Tags = append(stream.Status.Tags, v1.NamedTagEventList{Tag: tag, Items: []v1.TagEvent{event}})
}

func getStream(ctx context.Context, streams *named, name string) (*v1.ImageStream, error) {
	found, err := streams.Get(ctx, name, &metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return found.(*v1.ImageStream).DeepCopy(), nil
}

// Write a stream with its status, which the public path leaves alone.
func save(ctx context.Context, streams *named, stream *v1.ImageStream, dryRun []string) error {
	whole := *streams.Store
	whole.UpdateStrategy = rules{namespaced: true, validate: validateStream}
	_, _, err := whole.Update(ctx, stream.Name, rest.DefaultUpdatedObjectInfo(stream), rest.ValidateAllObjectFunc,
		rest.ValidateAllObjectUpdateFunc, false, &metav1.UpdateOptions{DryRun: dryRun})
	return err
}

func splitTag(name string) (string, string, error) {
	stream, tag, found := strings.Cut(name, ":")
	if !found || stream == "" || tag == "" {
		return "", "", apierrors.NewBadRequest(fmt.Sprintf("%q is not STREAM:TAG", name))
	}
	return stream, tag, nil
}
