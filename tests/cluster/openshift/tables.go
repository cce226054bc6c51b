package main

import (
	"context"
	"strings"
	"time"

	v1 "github.com/openshift/api/image/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
)

type imageTable struct{}
type streamTable struct{}
type tagTable struct{}

func (imageTable) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return table(object, options, []string{"Name", "Image Reference"}, func(one runtime.Object) []any {
		image := one.(*v1.Image)
		return []any{image.Name, image.DockerImageReference}
	})
}

func (streamTable) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return table(object, options, []string{"Name", "Image Repository", "Tags", "Updated"}, func(one runtime.Object) []any {
		stream := one.(*v1.ImageStream)
		var tags []string
		var updated time.Time
		for _, tag := range stream.Status.Tags {
			tags = append(tags, tag.Tag)
			if len(tag.Items) > 0 && tag.Items[0].Created.After(updated) {
				updated = tag.Items[0].Created.Time
			}
		}
		return []any{stream.Name, stream.Status.DockerImageRepository, strings.Join(tags, ","), age(updated)}
	})
}

func (tagTable) ConvertToTable(_ context.Context, object, options runtime.Object) (*metav1.Table, error) {
	return table(object, options, []string{"Name", "Image Reference", "Updated"}, func(one runtime.Object) []any {
		tag := one.(*v1.ImageStreamTag)
		return []any{tag.Name, tag.Image.DockerImageReference, age(tag.CreationTimestamp.Time)}
	})
}

func age(since time.Time) string {
	if since.IsZero() {
		return ""
	}
	return duration.HumanDuration(time.Since(since)) + " ago"
}

func table(object, options runtime.Object, columns []string, cells func(runtime.Object) []any) (*metav1.Table, error) {
	result := &metav1.Table{}
	if list, err := meta.ListAccessor(object); err == nil {
		result.ResourceVersion = list.GetResourceVersion()
		result.Continue = list.GetContinue()
		result.RemainingItemCount = list.GetRemainingItemCount()
	} else if one, err := meta.CommonAccessor(object); err == nil {
		result.ResourceVersion = one.GetResourceVersion()
	}
	if wanted, ok := options.(*metav1.TableOptions); !ok || !wanted.NoHeaders {
		for _, name := range columns {
			column := metav1.TableColumnDefinition{Name: name, Type: "string"}
			if name == "Name" {
				column.Format = "name"
			}
			result.ColumnDefinitions = append(result.ColumnDefinitions, column)
		}
	}
	add := func(one runtime.Object) error {
		result.Rows = append(result.Rows, metav1.TableRow{Cells: cells(one), Object: runtime.RawExtension{Object: one}})
		return nil
	}
	if meta.IsListType(object) {
		return result, meta.EachListItem(object, add)
	}
	return result, add(object)
}
