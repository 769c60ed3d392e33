package live

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestNodesThatShareAStorageShareAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, store := new(source), newStorage()
		src.set("data-actions 192.0.2.0/24")
		var nodes []*Keeper
		for range 5 {
			k, _ := keeper(t, src, store)
			nodes = append(nodes, k)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := src.asked(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		src.set("data-actions 192.0.2.0/24", "data-actions 203.0.113.0/24")
		time.Sleep(34 * time.Minute)
		synctest.Wait()
		if n := src.asked(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		for _, k := range nodes {
			has(t, k.View(), "192.0.2.0/24", "203.0.113.0/24")
		}
		time.Sleep(20 * 30 * time.Minute)
		if n := src.asked(); n < 20 || n > 26 {
			t.Errorf("asked %d times in 10 h", n)
		}
	})
}

func TestWhatWasKnownIsThereAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, store := new(source), newStorage()
		src.set(append(many("data-actions", 10), "smtp 198.51.100.1/32")...)
		k, _ := keeper(t, src, store)
		synctest.Wait()
		src.set(many("data-actions", 4)...)
		src.more(2) // held back twice
		if err := k.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		src.say("", errors.New("connection refused"))
		time.Sleep(40 * 24 * time.Hour)
		again, logs := keeper(t, src, store)
		synctest.Wait()
		if n := len(again.View("data-actions").Ranges()); n != 10 {
			t.Errorf("%d ranges are there", n)
		}
		if s := again.Stats(); !s.Known || s.Age < 40*24*time.Hour {
			t.Errorf("got %+v", s)
		}
		if logs.FilterMessageSnippet("older than seven days").Len() != 1 {
			t.Error("the age was not warned of")
		}
		src.set(many("data-actions", 4)...)
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		if n := len(again.View("data-actions").Ranges()); n != 4 {
			t.Errorf("%d ranges: what was held back twice before the restart was not counted", n)
		}
	})
}

func TestAStorageThatFailsIsMissedAndNotNecessary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, store := new(source), newStorage()
		store.err = errors.New("no such host")
		src.set("data-actions 192.0.2.0/24")
		k, logs := keeper(t, src, store)
		time.Sleep(time.Hour)
		synctest.Wait()
		has(t, k.View("data-actions"), "192.0.2.0/24")
		if logs.FilterMessageSnippet("it goes on without").Len() == 0 {
			t.Error("nothing was logged")
		}
	})
}

func TestALockThatIsNeverGivenBackHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, store := new(source), newStorage()
		store.locks <- struct{}{}
		src.set("data-actions 192.0.2.0/24")
		k, _ := keeper(t, src, store)
		time.Sleep(lockTime + time.Second)
		synctest.Wait()
		has(t, k.View("data-actions"), "192.0.2.0/24")
	})
}

func TestWhatIsBadInTheStorageIsNotUsed(t *testing.T) {
	for name, data := range map[string]string{
		"nothing":        "",
		"no JSON":        "{",
		"another form":   `{"version":9,"asked":"2026-01-01T00:00:00Z","confirmed":"2026-01-01T00:00:00Z","digest":"x","entities":[{"cidr":"192.0.2.0/24"}]}`,
		"no entries":     `{"version":1,"asked":"2026-01-01T00:00:00Z","confirmed":"2026-01-01T00:00:00Z","digest":"x","entities":[]}`,
		"a bad range":    `{"version":1,"asked":"2026-01-01T00:00:00Z","confirmed":"2026-01-01T00:00:00Z","digest":"x","entities":[{"cidr":"all"}]}`,
		"no times":       `{"version":1,"digest":"x","entities":[{"cidr":"192.0.2.0/24"}]}`,
		"a far future's": `{"version":1,"asked":"2999-01-01T00:00:00Z","confirmed":"2999-01-01T00:00:00Z","digest":"x","entities":[{"cidr":"203.0.113.0/24","service":"data-actions"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, store := new(source), newStorage()
				store.data["ranges"] = []byte(data)
				src.set("data-actions 192.0.2.0/24")
				k, _ := keeper(t, src, store)
				synctest.Wait()
				has(t, k.View("data-actions"), "192.0.2.0/24")
			})
		})
	}
}
