package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// Image is one manifest that the cluster knows; its name is the manifest's digest.
type Image struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// DockerImageReference is where the image can be pulled.
	DockerImageReference string `json:"dockerImageReference,omitempty"`
	// DockerImageMetadata is the image's configuration.
	DockerImageMetadata runtime.RawExtension `json:"dockerImageMetadata,omitempty"`
	// DockerImageMetadataVersion is the version of the configuration's form.
	DockerImageMetadataVersion string `json:"dockerImageMetadataVersion,omitempty"`
	// DockerImageManifest is the raw manifest.
	DockerImageManifest string `json:"dockerImageManifest,omitempty"`
	// DockerImageLayers are the layers, the lowest first.
	// +listType=atomic
	DockerImageLayers []ImageLayer `json:"dockerImageLayers"`
	// Signatures are the signatures that are stored with the image.
	// +listType=atomic
	Signatures []ImageSignature `json:"signatures,omitempty"`
	// DockerImageSignatures are opaque signatures of the manifest.
	// +listType=atomic
	DockerImageSignatures [][]byte `json:"dockerImageSignatures,omitempty"`
	// DockerImageManifestMediaType is the manifest's media type.
	DockerImageManifestMediaType string `json:"dockerImageManifestMediaType,omitempty"`
	// DockerImageConfig is the raw configuration.
	DockerImageConfig string `json:"dockerImageConfig,omitempty"`
	// DockerImageManifests are the members of an index.
	// +listType=atomic
	DockerImageManifests []ImageManifest `json:"dockerImageManifests,omitempty"`
}

// ImageLayer is one layer of an image.
type ImageLayer struct {
	Name      string `json:"name"`
	LayerSize int64  `json:"size"`
	MediaType string `json:"mediaType"`
}

// ImageManifest is one member of an index.
type ImageManifest struct {
	Digest       string `json:"digest"`
	MediaType    string `json:"mediaType"`
	ManifestSize int64  `json:"manifestSize"`
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

// ImageSignature is a signature of an image.
type ImageSignature struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Type          string `json:"type"`
	Content       []byte `json:"content"`
	ImageIdentity string `json:"imageIdentity,omitempty"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageList is a list of images.
type ImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Image `json:"items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStream is a repository of images with tags that have a history.
type ImageStream struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ImageStreamSpec   `json:"spec,omitempty"`
	Status ImageStreamStatus `json:"status,omitempty"`
}

// ImageStreamSpec says what the stream should hold.
type ImageStreamSpec struct {
	LookupPolicy          ImageLookupPolicy `json:"lookupPolicy,omitempty"`
	DockerImageRepository string            `json:"dockerImageRepository,omitempty"`
	// +listType=map
	// +listMapKey=name
	Tags []TagReference `json:"tags,omitempty"`
}

// ImageLookupPolicy says whether short names of pods mean the stream.
type ImageLookupPolicy struct {
	Local bool `json:"local"`
}

// TagReference says where a tag comes from.
type TagReference struct {
	Name            string             `json:"name"`
	Annotations     map[string]string  `json:"annotations,omitempty"`
	From            *ObjectReference   `json:"from,omitempty"`
	Reference       bool               `json:"reference,omitempty"`
	Generation      *int64             `json:"generation,omitempty"`
	ImportPolicy    TagImportPolicy    `json:"importPolicy,omitempty"`
	ReferencePolicy TagReferencePolicy `json:"referencePolicy,omitempty"`
}

// ObjectReference names where a tag's image comes from.
type ObjectReference struct {
	Kind            string `json:"kind,omitempty"`
	Namespace       string `json:"namespace,omitempty"`
	Name            string `json:"name,omitempty"`
	UID             string `json:"uid,omitempty"`
	APIVersion      string `json:"apiVersion,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
	FieldPath       string `json:"fieldPath,omitempty"`
}

// TagImportPolicy says how a tag is imported.
type TagImportPolicy struct {
	Insecure   bool   `json:"insecure,omitempty"`
	Scheduled  bool   `json:"scheduled,omitempty"`
	ImportMode string `json:"importMode,omitempty"`
}

// TagReferencePolicy says whether pods pull from the source or from the integrated registry.
type TagReferencePolicy struct {
	Type string `json:"type"`
}

// ImageStreamStatus says what the stream holds.
type ImageStreamStatus struct {
	DockerImageRepository       string `json:"dockerImageRepository"`
	PublicDockerImageRepository string `json:"publicDockerImageRepository,omitempty"`
	// +listType=atomic
	Tags []NamedTagEventList `json:"tags,omitempty"`
}

// NamedTagEventList is a tag's history, the latest first.
type NamedTagEventList struct {
	Tag string `json:"tag"`
	// +listType=atomic
	Items []TagEvent `json:"items"`
	// +listType=atomic
	Conditions []TagEventCondition `json:"conditions,omitempty"`
}

// TagEvent is an image that a tag named.
type TagEvent struct {
	Created              metav1.Time `json:"created"`
	DockerImageReference string      `json:"dockerImageReference"`
	Image                string      `json:"image"`
	Generation           int64       `json:"generation"`
}

// TagEventCondition says how an import went.
type TagEventCondition struct {
	Type               string      `json:"type"`
	Status             string      `json:"status"`
	LastTransitionTime metav1.Time `json:"lastTransitionTime,omitempty"`
	Reason             string      `json:"reason,omitempty"`
	Message            string      `json:"message,omitempty"`
	Generation         int64       `json:"generation"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStreamList is a list of streams.
type ImageStreamList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ImageStream `json:"items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStreamTag is a stream's tag with the image that it names now; its name is stream:tag. It is not stored.
type ImageStreamTag struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Tag          *TagReference     `json:"tag"`
	Generation   int64             `json:"generation"`
	LookupPolicy ImageLookupPolicy `json:"lookupPolicy"`
	// +listType=atomic
	Conditions []TagEventCondition `json:"conditions,omitempty"`
	Image      Image               `json:"image"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStreamTagList is a list of stream tags.
type ImageStreamTagList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ImageStreamTag `json:"items"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStreamImage is an image as a stream knows it; its name is stream@digest. It is not stored.
type ImageStreamImage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Image Image `json:"image"`
}

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// ImageStreamMapping puts an image and a tag of a stream there together, as a registry does after a push.
type ImageStreamMapping struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Image Image  `json:"image"`
	Tag   string `json:"tag"`
}
