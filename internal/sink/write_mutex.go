package sink

// slowMutex is a lock that is held while the store is waited for. It is a
// channel because who waits for it then waits as well for what the store waits
// for: testing/synctest moves its clock for those who wait for a channel, not
// for those who wait for a sync.Mutex.
type slowMutex chan struct{}

func newSlowMutex() slowMutex { return make(slowMutex, 1) }

// Lock waits until nobody holds the lock, and takes it.
func (m slowMutex) Lock() { m <- struct{}{} }

// Unlock gives it back.
func (m slowMutex) Unlock() { <-m }
