{{/* Labels of every object. Call with (dict "context" . "component" "webhook"). */}}
{{- define "kubeai.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kubeai-autoscaler
{{- with .component }}
app.kubernetes.io/name: kubeai-{{ . }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- with .context.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels that a component's pods are found by. They can never change: a Deployment's selector is immutable. */}}
{{- define "kubeai.selectorLabels" -}}
app.kubernetes.io/name: kubeai-{{ .component }}
{{- end }}

{{/* An image. Call with (dict "context" . "image" .Values.webhook.image). */}}
{{- define "kubeai.image" -}}
{{- $registry := .context.Values.image.registry -}}
{{- with $registry }}{{ . }}/{{ end }}{{ .image.repository }}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ default .context.Chart.AppVersion .context.Values.image.tag }}{{ end }}
{{- end }}

{{/* What a pod needs besides its container. Call with (dict "context" . "component" "webhook"). */}}
{{- define "kubeai.podSettings" -}}
{{- $values := index .context.Values .component -}}
serviceAccountName: kubeai-{{ .component }}
terminationGracePeriodSeconds: 30
{{- with .context.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml $values.topologySpreadConstraints | nindent 2 }}
{{- else if gt (int $values.replicaCount) 1 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "kubeai.selectorLabels" . | nindent 8 }}
{{- end }}
securityContext:
  {{- $pod := dict "runAsNonRoot" true "runAsUser" 65532 "seccompProfile" (dict "type" "RuntimeDefault") }}
  {{- toYaml (mustMergeOverwrite $pod $values.podSecurityContext) | nindent 2 }}
{{- end }}

{{/* Security context of a container. */}}
{{- define "kubeai.securityContext" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
{{- toYaml (mustMergeOverwrite $own .securityContext) }}
{{- end }}

{{/* Probes that both processes answer. */}}
{{- define "kubeai.probes" -}}
readinessProbe:
  httpGet:
    path: /readyz
    port: health
  periodSeconds: 2
livenessProbe:
  httpGet:
    path: /healthz
    port: health
  periodSeconds: 10
{{- end }}

{{/* A ServiceAccount and its two bindings. Call with (dict "context" . "component" "webhook"). */}}
{{- define "kubeai.account" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: kubeai-{{ .component }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "kubeai.labels" . | nindent 4 }}
  {{- with (index .context.Values .component).serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- if .context.Values.rbac.create }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: kubeai-{{ .component }}
  labels:
    {{- include "kubeai.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: kubeai-{{ .component }}
subjects:
  - kind: ServiceAccount
    name: kubeai-{{ .component }}
    namespace: {{ .context.Release.Namespace }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: kubeai-{{ .component }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "kubeai.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: kubeai-{{ .component }}
subjects:
  - kind: ServiceAccount
    name: kubeai-{{ .component }}
    namespace: {{ .context.Release.Namespace }}
{{- end }}
{{- end }}

{{/* Whether the webhook serves a certificate from a Secret instead of one of its own authority. */}}
{{- define "kubeai.certificateSecret" -}}
{{- if and .Values.certificates.certManager.enabled .Values.certificates.secretName }}
{{- fail "certificates: certManager.enabled and secretName are two sources of one certificate; choose one" }}
{{- end }}
{{- if .Values.certificates.certManager.enabled }}kubeai-webhook-certificate
{{- else }}{{ .Values.certificates.secretName }}
{{- end }}
{{- end }}
