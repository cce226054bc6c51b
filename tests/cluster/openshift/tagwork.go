package main

import (
	"errors"

	v1 "github.com/openshift/api/image/v1"
)

var (
	tagResource = v1.GroupVersion.WithResource("imagestreamtags").GroupResource()
	errChanged  = errors.New("the stream has changed since it was read")
)

// A stream's tag without its image.
func bare(stream *v1.ImageStream, tag string) *v1.ImageStreamTag {
	result := &v1.ImageStreamTag{LookupPolicy: stream.Spec.LookupPolicy}
	result.Name = stream.Name + ":" + tag
	result.Namespace = stream.Namespace
	result.UID = stream.UID
	result.ResourceVersion = stream.ResourceVersion
	result.Labels = stream.Labels
	result.CreationTimestamp = stream.CreationTimestamp
	if found := reference(stream, tag); found != nil {
		result.Tag = found.DeepCopy()
		result.Annotations = result.Tag.Annotations
	}
	for _, history := range stream.Status.Tags {
		if history.Tag == tag {
			result.Conditions = history.Conditions
		}
	}
	return result
}

func reference(stream *v1.ImageStream, tag string) *v1.TagReference {
	for index := range stream.Spec.Tags {
		if stream.Spec.Tags[index].Name == tag {
			return &stream.Spec.Tags[index]
		}
	}
	return nil
}

func latest(stream *v1.ImageStream, tag string) *v1.TagEvent {
	for index := range stream.Status.Tags {
		history := &stream.Status.Tags[index]
		if history.Tag == tag && len(history.Items) > 0 {
			return &history.Items[0]
		}
	}
	return nil
}

// The names of all tags, of the wanted ones first.
func tagNames(stream *v1.ImageStream) []string {
	var result []string
	for _, tag := range stream.Spec.Tags {
		result = append(result, tag.Name)
	}
	for _, history := range stream.Status.Tags {
		if reference(stream, history.Tag) == nil {
			result = append(result, history.Tag)
		}
	}
	return result
}

// Take the wanted tag over into the stream's specification.
func setReference(stream *v1.ImageStream, tag string, wanted *v1.ImageStreamTag) {
	entry := v1.TagReference{Name: tag}
	if wanted.Tag != nil {
		entry = *wanted.Tag.DeepCopy()
		entry.Name = tag
	}
	if wanted.Annotations != nil {
		entry.Annotations = wanted.Annotations
	}
	if existing := reference(stream, tag); existing != nil {
		*existing = entry
	} else {
		stream.Spec.Tags = append(stream.Spec.Tags, entry)
	}
	completeStream(stream)
}

func removeTag(stream *v1.ImageStream, tag string) {
	var wanted []v1.TagReference
	for _, entry := range stream.Spec.Tags {
		if entry.Name != tag {
			wanted = append(wanted, entry)
		}
	}
	var held []v1.NamedTagEventList
	for _, history := range stream.Status.Tags {
		if history.Tag != tag {
			held = append(held, history)
		}
	}
	stream.Spec.Tags, stream.Status.Tags = wanted, held
}
