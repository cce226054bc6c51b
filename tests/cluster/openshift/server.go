package main

import (
	"errors"
	"strings"

	v1 "github.com/openshift/api/image/v1"
	openshift "github.com/openshift/api/openapi/generated_openapi"
	extensions "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/util"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

const prefix = "/openshift.io"

var (
	scheme         = runtime.NewScheme()
	codecs         = serializer.NewCodecFactory(scheme)
	parameterCodec = runtime.NewParameterCodec(scheme)
)

// What the server computes in: the same Go types.
var internal = schema.GroupVersion{Group: v1.GroupName, Version: runtime.APIVersionInternal}

func init() {
	if err := v1.Install(scheme); err != nil {
		panic(err)
	}
	scheme.AddKnownTypes(internal,
		&v1.Image{}, &v1.ImageList{},
		&v1.ImageStream{}, &v1.ImageStreamList{},
		&v1.ImageStreamTag{}, &v1.ImageStreamTagList{},
		&v1.ImageStreamImage{}, &v1.ImageStreamMapping{},
	)
	if err := scheme.SetVersionPriority(v1.GroupVersion); err != nil {
		panic(err)
	}
	unversioned := schema.GroupVersion{Version: "v1"}
	metav1.AddToGroupVersion(scheme, unversioned)
	scheme.AddUnversionedTypes(unversioned,
		&metav1.Status{}, &metav1.APIVersions{}, &metav1.APIGroupList{}, &metav1.APIGroup{}, &metav1.APIResourceList{})
}

func newOptions() *genericoptions.RecommendedOptions {
	options := genericoptions.NewRecommendedOptions(prefix, codecs.LegacyCodec(v1.GroupVersion))
	options.Etcd.StorageConfig.EncodeVersioner = runtime.NewMultiGroupVersioner(v1.GroupVersion,
		schema.GroupKind{Group: v1.GroupVersion.Group})
	return options
}

// The models of Kubernetes' own types and of OpenShift's, which name each other by their Go path. They are kept by the name
// that a client reads, and OpenShift's by their path too, by which the routes ask for them.
func definitions(reference common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := extensions.GetOpenAPIDefinitions(reference)
	known := openshift.GetOpenAPIDefinitions(func(path string) spec.Ref { return reference(modelName(path)) })
	for path, definition := range known {
		name := modelName(path)
		if _, there := all[name]; there {
			continue
		}
		for index, other := range definition.Dependencies {
			definition.Dependencies[index] = modelName(other)
		}
		all[name], all[path] = definition, definition
	}
	return all
}

func modelName(path string) string {
	if strings.Contains(path, "/") {
		return util.ToRESTFriendlyName(path)
	}
	return path
}

func newServer(options *genericoptions.RecommendedOptions) (*genericapiserver.GenericAPIServer, error) {
	if err := errors.Join(options.Validate()...); err != nil {
		return nil, err
	}
	config := genericapiserver.NewRecommendedConfig(codecs)
	namer := openapi.NewDefinitionNamer(scheme)
	named := func(path string) (string, spec.Extensions) { return namer.GetDefinitionName(modelName(path)) }
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIConfig.Info.Title = "image.openshift.io"
	config.OpenAPIConfig.GetDefinitionName = named
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	config.OpenAPIV3Config.Info.Title = "image.openshift.io"
	config.OpenAPIV3Config.GetDefinitionName = named
	config.EffectiveVersion = basecompatibility.NewEffectiveVersionFromString("1.36", "", "")
	if err := options.ApplyTo(config); err != nil {
		return nil, err
	}
	server, err := config.Complete().New("openshift", genericapiserver.NewEmptyDelegate())
	if err != nil {
		return nil, err
	}
	resources, err := storages(config.RESTOptionsGetter)
	if err != nil {
		return nil, err
	}
	group := genericapiserver.NewDefaultAPIGroupInfo(v1.GroupVersion.Group, scheme, parameterCodec, codecs)
	group.VersionedResourcesStorageMap[v1.GroupVersion.Version] = resources
	return server, server.InstallAPIGroup(&group)
}

// What each path of the group is served by.
func storages(getter getter) (map[string]rest.Storage, error) {
	images, err := newImages(getter)
	if err != nil {
		return nil, err
	}
	streams, status, err := newStreams(getter)
	if err != nil {
		return nil, err
	}
	tags := &streamTags{streams: streams, images: images, TableConvertor: tagTable{}}
	return map[string]rest.Storage{
		"images":              images,
		"imagestreams":        streams,
		"imagestreams/status": status,
		"imagestreamtags":     tags,
		"imagestreamimages":   &streamImages{streams: streams, images: images},
		"imagestreammappings": &streamMappings{streams: streams, images: images},
	}, nil
}
