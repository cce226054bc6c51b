package main

import (
	"errors"
	"strings"

	v1 "github.com/scap-images/scap.images/tests/cluster/openshift/api/v1"
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

func init() {
	if err := v1.AddToScheme(scheme); err != nil {
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

// The models of Kubernetes' own types and of ours. Ours name Kubernetes' by their Go path, which is not what they are kept by.
func definitions(reference common.ReferenceCallback) map[string]common.OpenAPIDefinition {
	all := extensions.GetOpenAPIDefinitions(reference)
	ours := v1.GetOpenAPIDefinitions(func(path string) spec.Ref { return reference(modelName(path)) })
	for name, definition := range ours {
		for index, path := range definition.Dependencies {
			definition.Dependencies[index] = modelName(path)
		}
		all[name] = definition
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
	config.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	config.OpenAPIConfig.Info.Title = "image.openshift.io"
	config.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	config.OpenAPIV3Config.Info.Title = "image.openshift.io"
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
	group.NegotiatedSerializer = withoutProtobuf{group.NegotiatedSerializer}
	group.VersionedResourcesStorageMap[v1.GroupVersion.Version] = resources
	return server, server.InstallAPIGroup(&group)
}

// The types have no protobuf form: clients that prefer it (the namespace controller) are given JSON.
type withoutProtobuf struct{ runtime.NegotiatedSerializer }

func (w withoutProtobuf) SupportedMediaTypes() []runtime.SerializerInfo {
	var result []runtime.SerializerInfo
	for _, info := range w.NegotiatedSerializer.SupportedMediaTypes() {
		if info.MediaType != runtime.ContentTypeProtobuf {
			result = append(result, info)
		}
	}
	return result
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
