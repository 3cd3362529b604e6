package sandbox

import (
	"container/list"
	"sync"
)

// cache keeps the states of the users asked for last. States never change,
// so nothing is ever invalidated.
type cache struct {
	limit int

	mu    sync.Mutex
	known map[cacheKey]*list.Element
	order *list.List // of *cached, the newest in front
}

type cacheKey struct{ user, analyses int }

type cached struct {
	key   cacheKey
	state func() *state // builds on the first call
}

func newCache(limit int) *cache {
	return &cache{limit: limit, known: map[cacheKey]*list.Element{}, order: list.New()}
}

// get returns a state, which it builds at most once at a time.
func (c *cache) get(user, analyses int, build func() *state) *state {
	key := cacheKey{user, analyses}
	c.mu.Lock()
	e, ok := c.known[key]
	if ok {
		c.order.MoveToFront(e)
	} else {
		e = c.order.PushFront(&cached{key, sync.OnceValue(build)})
		c.known[key] = e
		if c.order.Len() > c.limit {
			old := c.order.Remove(c.order.Back())
			delete(c.known, old.(*cached).key) //nolint:errcheck,forcetypeassert // the list holds nothing else
		}
	}
	c.mu.Unlock()
	return e.Value.(*cached).state() //nolint:errcheck,forcetypeassert // the list holds nothing else
}
