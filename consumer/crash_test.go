package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/hookgate/hookgate/hook"
)

func TestAfterACrashSuspectsAreTakenOneAtATime(t *testing.T) {
	inBubble(t, func(r *rig) {
		var at crowd
		r.on(func(context.Context, *hook.Event) error { at.stay(time.Millisecond); return nil })
		r.queue.put(events(0, 32)...)
		for _, it := range r.queue.items {
			it.redeliveries = 2
		}
		r.start(carefulFor)
		time.Sleep(time.Minute)
		r.want("at once", at.peak(), 1)
		r.want("done", r.queue.count("done"), 32)
		r.queue.put(events(100, 300)...)
		time.Sleep(time.Minute)
		r.want("at once", at.peak(), 8)
		r.want("windows", r.src.asked(), []int{32, 1, 32})
	})
}

func TestTheClaimOfACrashedConsumerIsOutlasted(t *testing.T) {
	inBubble(t, func(r *rig) {
		claim := hook.Claim{Key: inboxKey(event("e0")), Token: hook.NewToken(), Lease: 30 * time.Second}
		if state, _, err := r.inbox.Claim(context.Background(), claim); state != hook.Ours || err != nil {
			t.Fatal(state, err)
		}
		r.queue.put(events(0, 50)...)
		r.queue.items[0].redeliveries = 2
		r.start(0)
		time.Sleep(time.Second)
		r.want("the others are done meanwhile", r.queue.count("done"), 49)
		time.Sleep(40 * time.Second)
		r.want("done", r.queue.count("done"), 50)
		r.want("handled", len(r.handled()), 50)
		for _, h := range r.queue.history() {
			if h != "done" { // in a tier it would lose its count of crashes
				t.Error(h)
			}
		}
		r.want("windows", r.src.asked(), []int{1, 2, 33, 32})
	})
}

func TestAClaimThatDoesNotEndIsWaitedForInATier(t *testing.T) {
	inBubble(t, func(r *rig) {
		store := r.inbox
		store.trouble = func(string, string) trouble {
			store.mu.Lock()
			defer store.mu.Unlock()
			store.keys[inboxKey(event("a"))] = entry{token: hook.Token{1}, expires: time.Now().Add(time.Minute)}
			return trouble{}
		}
		r.queue.put(event("a"))
		r.queue.items[0].redeliveries = 1
		r.start(0)
		time.Sleep(40 * time.Second)
		r.want("history", r.queue.history(), []string{"back 5s"})
		store.trouble = nil
	})
}
