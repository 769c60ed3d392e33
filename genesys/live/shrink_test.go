package live

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// many makes n ranges of a service.
func many(service string, n int) (ranges []string) {
	for i := range n {
		ranges = append(ranges, fmt.Sprintf("%s 192.0.2.%d/32", service, 2*i))
	}
	return ranges
}

func TestAListThatHasShrunkIsTakenWhenItHasComeThreeTimes(t *testing.T) {
	for name, small := range map[string][]string{
		"in all":                   append(many("data-actions", 4), "smtp 198.51.100.1/32"),
		"of one service":           append(many("data-actions", 4), slices.Concat(many("open-messaging", 10), many("smtp", 10))...),
		"for a service went, here": append(many("data-actions", 9), many("open-messaging", 10)...),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, store := new(source), newStorage()
				src.set(slices.Concat(many("data-actions", 10), many("open-messaging", 10), many("smtp", 2))...)
				k, logs := keeper(t, src, store)
				v := k.View("data-actions")
				synctest.Wait()
				src.set(small...)
				for n := 1; n <= 2; n++ {
					src.more(1)
					if len(v.Ranges()) != 10 {
						t.Fatalf("taken after %d", n)
					}
				}
				if s := k.Stats(); s.Held != 2 || s.Failed != 0 || s.Age < 54*time.Minute {
					t.Errorf("got %+v", s)
				}
				if logs.FilterMessageSnippet("has shrunk").Len() != 2 {
					t.Error("it was not logged")
				}
				src.more(1)
				if len(v.Ranges()) == 10 {
					t.Error("not taken after three")
				}
				if len(k.View("smtp").Ranges()) == 0 || len(k.View("open-messaging").Ranges()) == 0 {
					t.Error("a service that went has lost its ranges")
				}
			})
		})
	}
}

func TestAShrunkListMustBeTheSameThreeTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.set(many("data-actions", 10)...)
		k, _ := keeper(t, src, nil)
		v := k.View("data-actions")
		synctest.Wait()
		for n := range 8 {
			src.set(many("data-actions", 3+n%2)...)
			src.more(1)
		}
		if len(v.Ranges()) != 10 {
			t.Errorf("%d ranges are left", len(v.Ranges()))
		}
		src.set(many("data-actions", 10)...)
		src.more(1)
		src.set(many("data-actions", 4)...)
		src.more(2)
		if len(v.Ranges()) != 10 {
			t.Error("what came before the good list was counted")
		}
	})
}

func TestAChangeAfterAServiceWentIsTakenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := new(source)
		src.set("data-actions 192.0.2.0/24", "smtp 198.51.100.1/32")
		k, _ := keeper(t, src, nil)
		synctest.Wait()
		src.set("data-actions 192.0.2.0/24")
		src.more(3)
		src.set("data-actions 192.0.2.0/24", "data-actions 203.0.113.0/24")
		src.more(1)
		has(t, k.View(), "192.0.2.0/24", "198.51.100.1/32", "203.0.113.0/24")
		src.set("data-actions 192.0.2.0/24", "smtp 198.51.100.9/32")
		src.more(1)
		has(t, k.View("smtp"), "198.51.100.9/32")
	})
}
