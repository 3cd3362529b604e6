//go:build !linux

package process

// self: no process is told from others here, so that nobody is taken for dead.
func self() Identity { return Identity{} }

func gone(Identity) bool { return false }
