//go:build ignore

// Prints how kubectl's own encoding (Protocol Buffers) numbers the fields of built-in kinds, read from the struct tags of
// k8s.io/api: a line a type, `number=field:shape ...`. A field named `*` is a struct that JSON writes inline into its
// parent; a trailing `?` means that zero stands for absent. See wire.ts, which reads it. To run it again (Go 1.24 or newer):
//
//	cd $(mktemp -d) && cp WHERE/THIS/IS/generate.go main.go && go mod init wire && go get k8s.io/api@latest
//	go mod tidy && go run . > WHERE/THIS/IS/built-in-wire.txt
package main

import (
	"fmt"
	"reflect"
	"sort"
	"strings"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	scale "k8s.io/api/autoscaling/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var lines = map[string]string{}

func nameOf(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/") + "." + t.Name()
}

// describe names a type: s string, i integer, b boolean, y bytes, d double, or the name of a message; before it `[` for a
// list and `{` for a map.
func describe(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return describe(t.Elem())
	case reflect.Map:
		return "{" + describe(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "y"
		}
		// A named list is a message with one repeated field.
		if t.Name() != "" && t.Elem().Kind() == reflect.String {
			return "Items"
		}
		return "[" + describe(t.Elem())
	case reflect.String:
		return "s"
	case reflect.Bool:
		return "b"
	case reflect.Float64, reflect.Float32:
		return "d"
	case reflect.Struct:
		return message(t)
	}
	return "i"
}

func message(t reflect.Type) string {
	switch t.Name() {
	case "Time", "MicroTime", "Quantity", "IntOrString", "FieldsV1", "RawExtension":
		return t.Name()
	}
	name := nameOf(t)
	if _, seen := lines[name]; seen {
		return name
	}
	lines[name] = ""
	fields := []string{}
	for i := 0; i < t.NumField(); i++ {
		field := t.Field(i)
		tag := strings.Split(field.Tag.Get("protobuf"), ",")
		if len(tag) < 2 {
			continue
		}
		label, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if label == "" {
			label = "*"
		}
		text := tag[1] + "=" + label + ":" + describe(field.Type)
		if strings.Contains(options, "omitempty") && field.Type.Kind() != reflect.Pointer {
			text += "?"
		}
		fields = append(fields, text)
	}
	lines[name] = strings.Join(fields, " ")
	return name
}

func main() {
	roots := map[string]any{
		"v1/Namespace": core.Namespace{}, "v1/Node": core.Node{}, "v1/Pod": core.Pod{}, "v1/Service": core.Service{},
		"v1/ConfigMap": core.ConfigMap{}, "v1/Secret": core.Secret{}, "v1/ServiceAccount": core.ServiceAccount{},
		"v1/Event": core.Event{}, "v1/Endpoints": core.Endpoints{}, "v1/PersistentVolumeClaim": core.PersistentVolumeClaim{},
		"v1/LimitRange": core.LimitRange{}, "v1/ResourceQuota": core.ResourceQuota{},
		"apps/v1/Deployment": apps.Deployment{}, "apps/v1/ReplicaSet": apps.ReplicaSet{}, "apps/v1/StatefulSet": apps.StatefulSet{},
		"apps/v1/DaemonSet": apps.DaemonSet{}, "apps/v1/ControllerRevision": apps.ControllerRevision{},
		"batch/v1/Job": batch.Job{}, "batch/v1/CronJob": batch.CronJob{},
		"autoscaling/v2/HorizontalPodAutoscaler": autoscaling.HorizontalPodAutoscaler{}, "autoscaling/v1/Scale": scale.Scale{}, "autoscaling/v1/HorizontalPodAutoscaler": scale.HorizontalPodAutoscaler{},
		"discovery.k8s.io/v1/EndpointSlice": discovery.EndpointSlice{}, "coordination.k8s.io/v1/Lease": coordination.Lease{},
		"events.k8s.io/v1/Event": events.Event{}, "policy/v1/PodDisruptionBudget": policy.PodDisruptionBudget{}, "policy/v1/Eviction": policy.Eviction{},
		"networking.k8s.io/v1/NetworkPolicy": networking.NetworkPolicy{}, "networking.k8s.io/v1/Ingress": networking.Ingress{},
		"scheduling.k8s.io/v1/PriorityClass": scheduling.PriorityClass{},
		"rbac.authorization.k8s.io/v1/Role":  rbac.Role{}, "rbac.authorization.k8s.io/v1/RoleBinding": rbac.RoleBinding{},
		"rbac.authorization.k8s.io/v1/ClusterRole": rbac.ClusterRole{}, "rbac.authorization.k8s.io/v1/ClusterRoleBinding": rbac.ClusterRoleBinding{},
		"admissionregistration.k8s.io/v1/MutatingWebhookConfiguration":   admissionregistration.MutatingWebhookConfiguration{},
		"admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration": admissionregistration.ValidatingWebhookConfiguration{},
		"authentication.k8s.io/v1/TokenReview":                           authentication.TokenReview{}, "authentication.k8s.io/v1/TokenRequest": authentication.TokenRequest{},
		"authentication.k8s.io/v1/SelfSubjectReview":      authentication.SelfSubjectReview{},
		"authorization.k8s.io/v1/SelfSubjectAccessReview": authorization.SelfSubjectAccessReview{},
		"authorization.k8s.io/v1/SelfSubjectRulesReview":  authorization.SelfSubjectRulesReview{},
		"authorization.k8s.io/v1/SubjectAccessReview":     authorization.SubjectAccessReview{},
		"meta/DeleteOptions":                              meta.DeleteOptions{},
	}
	keys := []string{}
	for key := range roots {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		fmt.Println("kind", key, message(reflect.TypeOf(roots[key])))
	}
	names := []string{}
	for name := range lines {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Println("type", name, lines[name])
	}
}
