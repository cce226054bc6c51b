package v1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is what this package describes.
var GroupVersion = schema.GroupVersion{Group: "image.openshift.io", Version: "v1"}

// Internal is the version that the server computes in: the same Go types.
var Internal = schema.GroupVersion{Group: GroupVersion.Group, Version: runtime.APIVersionInternal}

// AddToScheme makes the types known.
func AddToScheme(scheme *runtime.Scheme) error {
	for _, version := range []schema.GroupVersion{GroupVersion, Internal} {
		scheme.AddKnownTypes(version,
			&Image{}, &ImageList{},
			&ImageStream{}, &ImageStreamList{},
			&ImageStreamTag{}, &ImageStreamTagList{},
			&ImageStreamImage{}, &ImageStreamMapping{},
		)
	}
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return scheme.SetVersionPriority(GroupVersion)
}
