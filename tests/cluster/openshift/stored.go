package main

import (
	"context"
	"strings"

	v1 "github.com/openshift/api/image/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/apiserver/pkg/storage/names"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type getter = generic.RESTOptionsGetter

// A store that names itself as kubectl wants it.
type named struct {
	*registry.Store
	short []string
}

func (n *named) ShortNames() []string { return n.short }

func newStore(getter getter, resource, singular string, object, list func() runtime.Object, table rest.TableConvertor,
	rules rules) (*registry.Store, error) {
	store := &registry.Store{
		NewFunc:                   object,
		NewListFunc:               list,
		DefaultQualifiedResource:  v1.GroupVersion.WithResource(resource).GroupResource(),
		SingularQualifiedResource: v1.GroupVersion.WithResource(singular).GroupResource(),
		CreateStrategy:            rules,
		UpdateStrategy:            rules,
		DeleteStrategy:            rules,
		ResetFieldsStrategy:       rules,
		TableConvertor:            table,
	}
	return store, store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: getter})
}

func newImages(getter getter) (*named, error) {
	store, err := newStore(getter, "images", "image",
		func() runtime.Object { return &v1.Image{} },
		func() runtime.Object { return &v1.ImageList{} },
		imageTable{},
		rules{validate: validateImage, keep: keepImage})
	return &named{Store: store}, err
}

func newStreams(getter getter) (*named, *statusStorage, error) {
	main := rules{
		namespaced: true,
		validate:   validateStream,
		create:     func(object runtime.Object) { completeStream(object.(*v1.ImageStream)) },
		keep: func(object, old runtime.Object) {
			stream := object.(*v1.ImageStream)
			stream.Status = old.(*v1.ImageStream).Status
			completeStream(stream)
		},
		reset: fieldpath.NewSet(fieldpath.MakePathOrDie("status")),
	}
	store, err := newStore(getter, "imagestreams", "imagestream",
		func() runtime.Object { return &v1.ImageStream{} },
		func() runtime.Object { return &v1.ImageStreamList{} },
		streamTable{}, main)
	if err != nil {
		return nil, nil, err
	}
	status := *store
	status.UpdateStrategy = rules{
		namespaced: true,
		validate:   validateStream,
		keep: func(object, old runtime.Object) {
			object.(*v1.ImageStream).Spec = old.(*v1.ImageStream).Spec
		},
		reset: fieldpath.NewSet(fieldpath.MakePathOrDie("spec")),
	}
	status.ResetFieldsStrategy = status.UpdateStrategy.(rules)
	return &named{Store: store, short: []string{"is"}}, &statusStorage{store: &status}, nil
}

// What may be written, and what is left as it was.
type rules struct {
	names.NameGenerator
	namespaced bool
	validate   func(runtime.Object) field.ErrorList
	create     func(runtime.Object)
	keep       func(object, old runtime.Object)
	reset      *fieldpath.Set
}

func (rules) ObjectKinds(object runtime.Object) ([]schema.GroupVersionKind, bool, error) {
	return scheme.ObjectKinds(object)
}
func (rules) Recognizes(kind schema.GroupVersionKind) bool { return scheme.Recognizes(kind) }
func (rules) GenerateName(base string) string              { return names.SimpleNameGenerator.GenerateName(base) }
func (r rules) NamespaceScoped() bool                      { return r.namespaced }
func (rules) AllowCreateOnUpdate() bool                    { return false }
func (rules) AllowUnconditionalUpdate() bool               { return false }
func (rules) Canonicalize(runtime.Object)                  {}
func (r rules) PrepareForCreate(_ context.Context, object runtime.Object) {
	if r.create != nil {
		r.create(object)
	}
}
func (r rules) PrepareForUpdate(_ context.Context, object, old runtime.Object) {
	if r.keep != nil {
		r.keep(object, old)
	}
}
func (r rules) Validate(_ context.Context, object runtime.Object) field.ErrorList {
	return r.validate(object)
}
func (r rules) ValidateUpdate(_ context.Context, object, _ runtime.Object) field.ErrorList {
	return r.validate(object)
}
func (rules) WarningsOnCreate(context.Context, runtime.Object) []string                 { return nil }
func (rules) WarningsOnUpdate(context.Context, runtime.Object, runtime.Object) []string { return nil }
func (r rules) GetResetFields() map[fieldpath.APIVersion]*fieldpath.Set {
	if r.reset == nil {
		return nil
	}
	return map[fieldpath.APIVersion]*fieldpath.Set{fieldpath.APIVersion(v1.GroupVersion.String()): r.reset}
}

func validateImage(object runtime.Object) field.ErrorList {
	image := object.(*v1.Image)
	problems := pathSegment(image.Name, field.NewPath("metadata", "name"))
	if image.DockerImageReference == "" {
		problems = append(problems, field.Required(field.NewPath("dockerImageReference"), ""))
	}
	return problems
}

// What an update of an Image cannot change: all that describes the manifest.
func keepImage(object, old runtime.Object) {
	image, before := object.(*v1.Image), old.(*v1.Image)
	image.DockerImageMetadata = before.DockerImageMetadata
	image.DockerImageMetadataVersion = before.DockerImageMetadataVersion
	image.DockerImageManifest = before.DockerImageManifest
	image.DockerImageManifestMediaType = before.DockerImageManifestMediaType
	image.DockerImageLayers = before.DockerImageLayers
}

func validateStream(object runtime.Object) field.ErrorList {
	stream := object.(*v1.ImageStream)
	problems := pathSegment(stream.Name, field.NewPath("metadata", "name"))
	for index, tag := range stream.Spec.Tags {
		if tag.Name == "" || strings.Contains(tag.Name, ":") {
			problems = append(problems, field.Invalid(field.NewPath("spec", "tags").Index(index).Child("name"), tag.Name,
				"a tag has a name without a colon"))
		}
	}
	return problems
}

func pathSegment(name string, path *field.Path) field.ErrorList {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/%") {
		return field.ErrorList{field.Invalid(path, name, "not a path segment")}
	}
	return nil
}

const internalRegistry = "image-registry.openshift-image-registry.svc:5000"

// What the server itself says of a stream: where its repository is, and the generation of each tag.
func completeStream(stream *v1.ImageStream) {
	stream.Status.DockerImageRepository = internalRegistry + "/" + stream.Namespace + "/" + stream.Name
	if stream.Generation == 0 {
		stream.Generation = 1
	}
	for index := range stream.Spec.Tags {
		tag := &stream.Spec.Tags[index]
		if tag.Generation == nil {
			generation := stream.Generation
			tag.Generation = &generation
		}
		if tag.ReferencePolicy.Type == "" {
			tag.ReferencePolicy.Type = "Source"
		}
	}
}
