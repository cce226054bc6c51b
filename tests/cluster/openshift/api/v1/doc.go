// Package v1 describes the objects of image.openshift.io/v1, after OpenShift's published API reference.
//
// +k8s:deepcopy-gen=package
// +k8s:openapi-gen=true
// +k8s:openapi-model-package=com.github.openshift.api.image.v1
// +groupName=image.openshift.io
package v1

//go:generate go tool deepcopy-gen --output-file zz_generated.deepcopy.go --go-header-file /dev/null .
//go:generate go tool openapi-gen --output-file zz_generated.openapi.go --output-model-name-file zz_generated.model_name.go --readonly-pkg k8s.io/apimachinery/pkg/apis/meta/v1 --readonly-pkg k8s.io/apimachinery/pkg/runtime --output-dir . --output-pkg github.com/scap-images/scap.images/tests/cluster/openshift/api/v1 --go-header-file /dev/null --report-filename /dev/null .
