package rabbitmq

import "testing"

func TestWhatBeginsWhileCloseWaitsIsNotWaitedFor(t *testing.T) {
	q := new(Queue)
	counted, late := make(chan struct{}), make(chan struct{})
	q.inBackground(func() { <-counted })
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	ran := make(chan struct{})
	q.inBackground(func() { defer close(ran); <-late })
	close(counted)
	q.followers.Wait() // not for the second
	close(late)
	<-ran
}
