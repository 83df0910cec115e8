// Package kubernetes checks deploy/kubernetes against the types that Kubernetes'
// own API server decodes into. It is a module of its own, since nothing else
// needs them.
package kubernetes

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

const folder = "../../deploy/kubernetes"

// scaledObject is what keda.yaml uses of keda.sh/v1alpha1, by KEDA's documented
// names: its own types would bring its whole controller.
type scaledObject struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount int `json:"minReplicaCount"`
		MaxReplicaCount int `json:"maxReplicaCount"`
		PollingInterval int `json:"pollingInterval"`
		CooldownPeriod  int `json:"cooldownPeriod"`
		Fallback        struct {
			FailureThreshold int `json:"failureThreshold"`
			Replicas         int `json:"replicas"`
		} `json:"fallback"`
		Advanced struct {
			HorizontalPodAutoscalerConfig struct {
				Behavior map[string]struct {
					StabilizationWindowSeconds int `json:"stabilizationWindowSeconds"`
					Policies                   []struct {
						Type          string `json:"type"`
						Value         int    `json:"value"`
						PeriodSeconds int    `json:"periodSeconds"`
					} `json:"policies"`
				} `json:"behavior"`
			} `json:"horizontalPodAutoscalerConfig"`
		} `json:"advanced"`
		Triggers []struct {
			Type       string            `json:"type"`
			MetricType string            `json:"metricType"`
			Metadata   map[string]string `json:"metadata"` // every value is a string: KEDA refuses a number

			AuthenticationRef struct {
				Name string `json:"name"`
			} `json:"authenticationRef"`
		} `json:"triggers"`
	} `json:"spec"`
}

// triggerAuthentication likewise.
type triggerAuthentication struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            struct {
		SecretTargetRef []struct {
			Parameter string `json:"parameter"`
			Name      string `json:"name"`
			Key       string `json:"key"`
		} `json:"secretTargetRef"`
	} `json:"spec"`
}

// objects are all manifests by kind and name.
type objects map[string]any

func load(t *testing.T) objects {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all := objects{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range regexp.MustCompile(`(?m)^---$`).Split(string(data), -1) {
			var head struct {
				metav1.TypeMeta `json:",inline"`
				Metadata        metav1.ObjectMeta `json:"metadata"`
			}
			if err := yaml.Unmarshal([]byte(document), &head); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			var into any
			switch head.APIVersion + " " + head.Kind {
			case "apps/v1 Deployment":
				into = &appsv1.Deployment{}
			case "v1 Service":
				into = &corev1.Service{}
			case "v1 ConfigMap":
				into = &corev1.ConfigMap{}
			case "policy/v1 PodDisruptionBudget":
				into = &policyv1.PodDisruptionBudget{}
			case "keda.sh/v1alpha1 ScaledObject":
				into = &scaledObject{}
			case "keda.sh/v1alpha1 TriggerAuthentication":
				into = &triggerAuthentication{}
			default:
				t.Errorf("%s: no check for %s %s", file, head.APIVersion, head.Kind)
				continue
			}
			if err := strict([]byte(document), into); err != nil {
				t.Errorf("%s, %s %s: %v", file, head.Kind, head.Metadata.Name, err)
			}
			all[head.Kind+" "+head.Metadata.Name] = into
		}
	}
	if t.Failed() {
		t.FailNow() // what follows looks at decoded fields
	}
	return all
}

// strict decodes as the API server does when it is asked to be strict: a field
// that is unknown, there twice or in another case is an error.
func strict(document []byte, into any) error {
	data, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return err
	}
	wrong, err := json.UnmarshalStrict(data, into)
	return errors.Join(append(wrong, err)...)
}

func get[T any](t *testing.T, all objects, name string) T {
	t.Helper()
	o, ok := all[name].(T)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	return o
}

func TestManifestsAreWhatKubernetesDecodes(t *testing.T) {
	all := load(t)
	for _, name := range []string{"longhaul-api", "longhaul-worker"} {
		d := get[*appsv1.Deployment](t, all, "Deployment "+name)
		pod := d.Spec.Template
		c := pod.Spec.Containers[0]
		for key, v := range d.Spec.Selector.MatchLabels {
			if pod.Labels[key] != v {
				t.Errorf("%s: the selector's %s=%s is not on its pods", name, key, v)
			}
		}
		budget := get[*policyv1.PodDisruptionBudget](t, all, "PodDisruptionBudget "+name)
		for key, v := range budget.Spec.Selector.MatchLabels {
			if pod.Labels[key] != v {
				t.Errorf("%s: the budget's %s=%s is not on its pods", name, key, v)
			}
		}
		drain, err := time.ParseDuration(env(c, "DRAIN_TIMEOUT"))
		if err != nil {
			t.Fatalf("%s: DRAIN_TIMEOUT: %v", name, err)
		}
		stop := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
		if c.Lifecycle != nil {
			stop -= time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
		}
		if stop < drain+5*time.Second {
			t.Errorf("%s: killed after %v, and drains for %v", name, stop, drain)
		}
		locked(t, name, pod)
		ports := map[string]bool{}
		for _, p := range c.Ports {
			ports[p.Name] = true
		}
		for probe, path := range map[*corev1.Probe]string{c.LivenessProbe: "/health", c.ReadinessProbe: "/ready", c.StartupProbe: "/health"} {
			if probe.HTTPGet.Path != path || !ports[probe.HTTPGet.Port.StrVal] {
				t.Errorf("%s: a probe asks %s at %s", name, probe.HTTPGet.Path, probe.HTTPGet.Port.StrVal)
			}
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s has no memory limit or no CPU request", name)
		}
	}
	service := get[*corev1.Service](t, all, "Service longhaul-api")
	if api := get[*appsv1.Deployment](t, all, "Deployment longhaul-api"); service.Spec.Ports[0].TargetPort.StrVal != api.Spec.Template.Spec.Containers[0].Ports[0].Name {
		t.Error("the service sends to a port that the API does not have")
	}
}

func locked(t *testing.T, name string, pod corev1.PodTemplateSpec) {
	t.Helper()
	s := pod.Spec.Containers[0].SecurityContext
	if !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || !*pod.Spec.SecurityContext.RunAsNonRoot {
		t.Errorf("%s may do more than it needs", name)
	}
}

func TestTheDashboardIsClosedAndOnlyLooks(t *testing.T) {
	all := load(t)
	pod := get[*appsv1.Deployment](t, all, "Deployment longhaul-monitoring").Spec.Template
	locked(t, "longhaul-monitoring", pod)
	c, secrets := pod.Spec.Containers[0], map[string]bool{}
	for _, e := range c.Env {
		secrets[e.Name] = e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil
	}
	if !secrets["OPERATOR_TOKENS"] || !secrets["REDIS_URL"] || env(c, "MONITORING_ACTIONS") != "off" || len(c.EnvFrom) != 0 {
		t.Errorf("%+v", c.Env)
	}
	service := get[*corev1.Service](t, all, "Service longhaul-monitoring")
	if service.Spec.Type != "" || service.Spec.Ports[0].TargetPort.StrVal != c.Ports[0].Name || c.LivenessProbe.HTTPGet.Path != "/health" {
		t.Errorf("%+v", service.Spec)
	}
}

func TestKEDAScalesTheWorkersByWhatOneCanRun(t *testing.T) {
	all := load(t)
	o := get[*scaledObject](t, all, "ScaledObject longhaul-worker")
	worker := get[*appsv1.Deployment](t, all, "Deployment "+o.Spec.ScaleTargetRef.Name)
	if worker.Spec.Replicas != nil {
		t.Error("the deployment has replicas: each apply of it would undo KEDA's")
	}
	if o.Spec.MinReplicaCount < 1 || o.Spec.MaxReplicaCount <= o.Spec.MinReplicaCount || len(o.Spec.Triggers) != 1 {
		t.Errorf("%+v", o.Spec)
	}
	trigger := o.Spec.Triggers[0]
	if trigger.Type != "metrics-api" || trigger.MetricType != "AverageValue" || trigger.Metadata["targetValue"] != "1" {
		t.Errorf("it asks for something else than so many replicas: %+v", trigger)
	}
	auth := get[*triggerAuthentication](t, all, "TriggerAuthentication "+trigger.AuthenticationRef.Name)
	token := auth.Spec.SecretTargetRef[0]
	if trigger.Metadata["authMode"] != "bearer" || token.Parameter != "token" || token.Key != "METRICS_TOKEN" {
		t.Errorf("the API would not know who asks: %+v", token)
	}
	at, err := url.Parse(trigger.Metadata["url"])
	if err != nil {
		t.Fatal(err)
	}
	if service := get[*corev1.Service](t, all, "Service "+at.Hostname()); at.Port() != "" || service.Spec.Ports[0].Port != 80 {
		t.Errorf("nothing listens at %s", at.Host)
	}
	if slots := env(worker.Spec.Template.Spec.Containers[0], "MAX_CONCURRENT"); at.Query().Get("slots") != slots {
		t.Errorf("it counts with %s slots, and a worker has %s", at.Query().Get("slots"), slots)
	}
	var document struct {
		Paths      map[string]any
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	source, err := os.ReadFile("../../api/openapi.yaml")
	if err == nil {
		err = yaml.Unmarshal(source, &document)
	}
	if err != nil {
		t.Fatal(err)
	}
	if document.Paths[at.Path] == nil || document.Components.Schemas["QueueStats"].Properties[trigger.Metadata["valueLocation"]] == nil {
		t.Errorf("%s has no %s", at.Path, trigger.Metadata["valueLocation"])
	}
}

func env(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}
