// Package process tells a process from every other on any machine, and whether
// one of this machine has ended. It never guesses: what cannot be told for certain
// counts as alive, and on systems other than Linux nothing can be told.
package process

import "os"

// Identity is what no two processes share, at whatever time and on whatever
// machine. The zero value is no process.
type Identity struct {
	Host   string `json:"host"`
	BootID string `json:"boot_id"` // of the kernel: new with every start of the machine
	// PIDNamespace is where PID means something: containers of one machine have
	// one each, and count from 1.
	PIDNamespace string `json:"pid_namespace"`
	// TimeNamespace is where Start means something. Empty on kernels that have none.
	TimeNamespace string `json:"time_namespace,omitempty"`
	PID           int    `json:"pid"`
	// Start is when the process began, in ticks since the machine did: a number
	// that is used again is another process.
	Start uint64 `json:"start"`
}

// Self is the process that asks; the zero value where that cannot be told.
func Self() Identity { return self() }

// Gone reports whether a process has certainly ended. False says that it is
// alive, perhaps stopped, or of another machine, another boot or another
// container, or that this cannot be told.
//
// A zombie has ended: nobody has asked for its exit code yet, and it does nothing
// any more.
func Gone(id Identity) bool { return gone(id) }

// sameMachine says whether two processes are counted by the same kernel in the
// same namespaces.
func sameMachine(a, b Identity) bool {
	return a.Host == b.Host && a.BootID == b.BootID && a.PIDNamespace == b.PIDNamespace && a.TimeNamespace == b.TimeNamespace
}

// whole says whether nothing is missing that tells a process from others.
func (id Identity) whole() bool {
	return id.Host != "" && id.BootID != "" && id.PIDNamespace != "" && id.PID > 0 && id.PID <= maxPID && id.Start > 0
}

// maxPID is the greatest number of a process that Linux gives out.
const maxPID = 1 << 22

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
