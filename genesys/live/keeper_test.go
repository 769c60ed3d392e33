package live

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hookgate/hookgate/genesys"
)

// has holds a view against the addresses that it is to have, and not to have.
func has(t *testing.T, v *View, want ...string) {
	t.Helper()
	var got []string
	for _, p := range v.Ranges() {
		got = append(got, p.String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, w := range want {
		if !v.Contains(netip.MustParsePrefix(w).Addr()) {
			t.Errorf("%s is not found", w)
		}
	}
}

func TestTheListIsFetchedAndFetchedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.set("data-actions 192.0.2.0/24", "data-actions 192.0.2.7/32", "open-messaging 198.51.100.1/32")
		k, _ := unstarted(t, src, nil)
		actions, all := k.View("data-actions"), k.View()
		if err := actions.Ready(); !errors.Is(err, errNoList) {
			t.Errorf("before there is a list: %v", err)
		}
		k.Start()
		synctest.Wait()
		has(t, actions, "192.0.2.0/24")
		has(t, all, "192.0.2.0/24", "198.51.100.1/32")
		if k.View("data-actions") != actions {
			t.Error("the same services have two views")
		}

		src.set("data-actions 192.0.2.0/24", "data-actions 203.0.113.0/24", "open-messaging 198.51.100.1/32")
		time.Sleep(26 * time.Minute)
		synctest.Wait()
		if n := src.asked(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(8 * time.Minute)
		synctest.Wait()
		has(t, actions, "192.0.2.0/24", "203.0.113.0/24")
		if s := k.Stats(); s.Fetched != 2 || s.Changes != 1 || s.Ranges != 3 || !s.Known || s.Age > 8*time.Minute {
			t.Errorf("got %+v", s)
		}
	})
}

func TestTheLastGoodListStays(t *testing.T) {
	for name, spoil := range map[string]func(*source){
		"when Genesys cannot be reached": func(s *source) { s.say("", errors.New("connection refused")) },
		"when the list is empty":         func(s *source) { s.set() },
		"when the list is not JSON":      func(s *source) { s.say("<html>", nil) },
		"when the list breaks off":       func(s *source) { s.say(`{"entities":[{"cidr":"203.0.113.0/24"`, nil) },
		"when the list has a bad range":  func(s *source) { s.set("data-actions 203.0.113.0/33") },
		"when all of it is inbound": func(s *source) {
			s.say(`{"entities":[{"cidr":"203.0.113.0/24","service":"data-actions","direction":"inbound"}]}`, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, store := new(source), newStorage()
				src.set("data-actions 192.0.2.0/24")
				k, logs := keeper(t, src, store)
				v := k.View("data-actions")
				synctest.Wait()
				spoil(src)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				has(t, v, "192.0.2.0/24")
				if err := v.Ready(); err != nil {
					t.Error(err)
				}
				s := k.Stats()
				if s.Failed == 0 || s.LastError == "" || s.Age < 23*time.Hour {
					t.Errorf("got %+v", s)
				}
				if n := src.asked(); n < 24*60/5-20 || n > 24*60 {
					t.Errorf("asked %d times in a day", n)
				}
				if logs.FilterMessageSnippet("what is known stays").Len() == 0 {
					t.Error("nothing was logged")
				}
				src.set("data-actions 192.0.2.0/24", "data-actions 203.0.113.0/24")
				time.Sleep(6 * time.Minute)
				synctest.Wait()
				has(t, v, "192.0.2.0/24", "203.0.113.0/24")
				if s := k.Stats(); s.LastError != "" || s.Age > 6*time.Minute {
					t.Errorf("got %+v", s)
				}
			})
		})
	}
}

func TestWithNothingAtAllAViewSaysWhatGenesysSaid(t *testing.T) {
	network := &url.Error{Op: "Post", URL: "https://login.example/oauth/token", Err: &net.DNSError{Err: "no such host", Name: "login.example", Server: "10.1.2.3:53"}}
	said := &genesys.Error{Method: "POST", Path: "/oauth/token", Status: 400, Code: "invalid_client"}
	for _, tc := range []struct {
		name  string
		cause error
		want  string
	}{
		{"an answer of Genesys", fmt.Errorf("fetch: %w", said), errNoList.Error() + ": " + said.Error()},
		{"anything else, which may have addresses of ours", network, errNoList.Error() + ": the log says why"},
		{"no cause yet", nil, errNoList.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := new(View)
			v.state.Store(&viewState{err: errNoList})
			v.lack(tc.cause)
			if got := v.Ready().Error(); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestWithNothingAtAllAViewSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.say("", errors.New("connection refused"))
		k, _ := keeper(t, src, newStorage())
		v := k.View("data-actions")
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := v.Ready(); !errors.Is(err, errNoList) || strings.Contains(err.Error(), "connection refused") {
			t.Errorf("got %v", err)
		}
		if v.Contains(netip.MustParseAddr("192.0.2.1")) {
			t.Error("an address is in no list")
		}
		src.set("data-actions 192.0.2.0/24")
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if err := v.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestAServiceThatGenesysDoesNotHaveIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.set("data-actions 192.0.2.0/24", "smtp 192.0.2.1/32")
		k, _ := keeper(t, src, nil)
		early := k.View("data-action")
		synctest.Wait()
		for _, v := range []*View{early, k.View("data-action")} {
			if err := v.Ready(); err == nil || !strings.Contains(err.Error(), "no addresses for data-action: there are some for data-actions, smtp") {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestARetryAfterOfAWeekDoesNotEndTheKeeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.say("", &genesys.Error{Status: 503, RetryAfter: 7 * 24 * time.Hour})
		k, _ := keeper(t, src, nil)
		synctest.Wait()
		src.set("data-actions 192.0.2.0/24")
		time.Sleep(maxAsked + time.Minute)
		synctest.Wait()
		if err := k.View().Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestRetryAfterIsHeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.say("", &genesys.Error{Status: 429, RetryAfter: 10 * time.Minute})
		keeper(t, src, nil)
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		if n := src.asked(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := src.asked(); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestTheLastUserIsToldOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.set("data-actions 192.0.2.0/24")
		k, _ := keeper(t, src, nil)
		var told []string
		user := func(name string) *User {
			return &User{Changed: func(c Change) {
				told = append(told, fmt.Sprintf("%s +%d -%d", name, len(c.Added), len(c.Removed)))
			}}
		}
		a, b := user("a"), user("b")
		k.Attach(a)
		k.Attach(b)
		synctest.Wait()
		change := func(ranges ...string) {
			src.set(ranges...)
			time.Sleep(34 * time.Minute)
			synctest.Wait()
		}
		change("data-actions 192.0.2.0/24", "data-actions 203.0.113.0/24")
		k.Detach(b)
		change("data-actions 192.0.2.0/24")
		if want := []string{"b +1 -0", "a +0 -1"}; !slices.Equal(told, want) {
			t.Errorf("got %q", told)
		}
	})
}

func TestAKeeperThatWasNeverStartedCanBeClosed(t *testing.T) {
	k, err := New(Options{Fetch: new(source).fetch, Key: "ranges"})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(t.Context()); err != nil {
		t.Error(err)
	}
	k.Start() // too late: it does nothing
}
