package app

import (
	"slices"
	"sync"

	"github.com/hookgate/hookgate/plugins/rabbitmq"
)

// rabbitSources has the sources that are started. In a reload there are two for
// a moment, of one queue.
var rabbitSources sources

// sources are sources in RabbitMQ, the newest last.
type sources struct {
	mu  sync.Mutex
	all []*rabbitmq.Source
}

func (s *sources) add(source *rabbitmq.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, source)
}

func (s *sources) remove(source *rabbitmq.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(other *rabbitmq.Source) bool { return other == source })
}

// newest returns the one that the metrics are of: where the config of the newest
// fails to start, that is the one before again. It returns nil for none.
func (s *sources) newest() *rabbitmq.Source {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return nil
	}
	return s.all[len(s.all)-1]
}
