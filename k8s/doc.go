// Package k8s holds no code: the manifests beside it are plain, and its tests
// render and decode them as a cluster would.
package k8s
