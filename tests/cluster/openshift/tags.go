package main

import (
	"context"

	v1 "github.com/openshift/api/image/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/internalversion"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
)

// imagestreamtags: made of a stream's tag and its image whenever they are asked for.
type streamTags struct {
	rest.TableConvertor
	streams, images *named
}

func (s *streamTags) New() runtime.Object     { return &v1.ImageStreamTag{} }
func (s *streamTags) NewList() runtime.Object { return &v1.ImageStreamTagList{} }
func (s *streamTags) Destroy()                {}
func (s *streamTags) NamespaceScoped() bool   { return true }
func (s *streamTags) GetSingularName() string { return "imagestreamtag" }
func (s *streamTags) ShortNames() []string    { return []string{"istag"} }

func (s *streamTags) Get(ctx context.Context, name string, _ *metav1.GetOptions) (runtime.Object, error) {
	streamName, tag, err := splitTag(name)
	if err != nil {
		return nil, err
	}
	stream, err := getStream(ctx, s.streams, streamName)
	if err != nil {
		return nil, err
	}
	return s.one(ctx, stream, tag)
}

func (s *streamTags) List(ctx context.Context, options *internalversion.ListOptions) (runtime.Object, error) {
	found, err := s.streams.List(ctx, options)
	if err != nil {
		return nil, err
	}
	streams := found.(*v1.ImageStreamList)
	result := &v1.ImageStreamTagList{ListMeta: streams.ListMeta, Items: []v1.ImageStreamTag{}}
	for index := range streams.Items {
		stream := &streams.Items[index]
		for _, tag := range tagNames(stream) {
			one, err := s.one(ctx, stream, tag)
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			result.Items = append(result.Items, *one)
		}
	}
	return result, nil
}

func (s *streamTags) Create(ctx context.Context, object runtime.Object, validate rest.ValidateObjectFunc,
	options *metav1.CreateOptions) (runtime.Object, error) {
	wanted := object.(*v1.ImageStreamTag)
	streamName, tag, err := splitTag(wanted.Name)
	if err != nil {
		return nil, err
	}
	if validate != nil {
		if err := validate(ctx, object); err != nil {
			return nil, err
		}
	}
	stream, err := getStream(ctx, s.streams, streamName)
	if err != nil {
		return nil, err
	}
	if reference(stream, tag) != nil {
		return nil, apierrors.NewAlreadyExists(tagResource, wanted.Name)
	}
	setReference(stream, tag, wanted)
	if err := save(ctx, s.streams, stream, options.DryRun); err != nil {
		return nil, err
	}
	return s.answer(ctx, stream, tag)
}

func (s *streamTags) Update(ctx context.Context, name string, info rest.UpdatedObjectInfo, _ rest.ValidateObjectFunc,
	validate rest.ValidateObjectUpdateFunc, _ bool, options *metav1.UpdateOptions) (runtime.Object, bool, error) {
	streamName, tag, err := splitTag(name)
	if err != nil {
		return nil, false, err
	}
	stream, err := getStream(ctx, s.streams, streamName)
	if err != nil {
		return nil, false, err
	}
	old, err := s.answer(ctx, stream, tag)
	if err != nil {
		return nil, false, err
	}
	updated, err := info.UpdatedObject(ctx, old)
	if err != nil {
		return nil, false, err
	}
	if validate != nil {
		if err := validate(ctx, updated, old); err != nil {
			return nil, false, err
		}
	}
	wanted := updated.(*v1.ImageStreamTag)
	if wanted.ResourceVersion != "" && wanted.ResourceVersion != stream.ResourceVersion {
		return nil, false, apierrors.NewConflict(tagResource, name, errChanged)
	}
	setReference(stream, tag, wanted)
	if err := save(ctx, s.streams, stream, options.DryRun); err != nil {
		return nil, false, err
	}
	result, err := s.Get(ctx, name, nil)
	return result, false, err
}

func (s *streamTags) Delete(ctx context.Context, name string, validate rest.ValidateObjectFunc,
	options *metav1.DeleteOptions) (runtime.Object, bool, error) {
	streamName, tag, err := splitTag(name)
	if err != nil {
		return nil, false, err
	}
	stream, err := getStream(ctx, s.streams, streamName)
	if err != nil {
		return nil, false, err
	}
	old, err := s.answer(ctx, stream, tag)
	if err != nil {
		return nil, false, err
	}
	if validate != nil {
		if err := validate(ctx, old); err != nil {
			return nil, false, err
		}
	}
	removeTag(stream, tag)
	if err := save(ctx, s.streams, stream, options.DryRun); err != nil {
		return nil, false, err
	}
	return &metav1.Status{Status: metav1.StatusSuccess}, true, nil
}

// A tag that names an image that is there; NotFound otherwise.
func (s *streamTags) one(ctx context.Context, stream *v1.ImageStream, tag string) (*v1.ImageStreamTag, error) {
	result := bare(stream, tag)
	event := latest(stream, tag)
	if event == nil {
		return nil, apierrors.NewNotFound(tagResource, result.Name)
	}
	result.CreationTimestamp = event.Created
	result.Generation = event.Generation
	everywhere := request.WithNamespace(ctx, "")
	image, err := s.images.Get(everywhere, event.Image, &metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		result.Image.Name = event.Image
	} else if err != nil {
		return nil, err
	} else {
		result.Image = *image.(*v1.Image).DeepCopy()
	}
	result.Image.DockerImageReference = event.DockerImageReference
	return result, nil
}

// The same, also for a tag that was only asked for and not imported yet.
func (s *streamTags) answer(ctx context.Context, stream *v1.ImageStream, tag string) (*v1.ImageStreamTag, error) {
	result, err := s.one(ctx, stream, tag)
	if apierrors.IsNotFound(err) && reference(stream, tag) != nil {
		return bare(stream, tag), nil
	}
	return result, err
}
