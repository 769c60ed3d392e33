package failfast

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hookgate/hookgate/caddymodule/problem"
	"github.com/hookgate/hookgate/hook"
)

func TestAnAddressHasItsRefusalsAndThenWaits(t *testing.T) {
	now := time.Unix(1e9, 0)
	rs := newRefusals(10, now)
	bad, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for i := range 10 * burst {
		if _, ok := rs.take(bad, now); !ok {
			t.Fatalf("the refusal %d is one too many", i+1)
		}
	}
	if wait, ok := rs.take(bad, now); ok || wait <= 0 || wait > 100*time.Millisecond {
		t.Errorf("got %s, %t", wait, ok)
	}
	if _, ok := rs.take(other, now); !ok {
		t.Error("another address has none")
	}
	now = now.Add(100 * time.Millisecond)
	if _, ok := rs.take(bad, now); !ok {
		t.Error("there is none after a tenth of a second")
	}
	if _, ok := rs.take(bad, now); ok {
		t.Error("there are two after a tenth of a second")
	}
	if _, ok := rs.take(netip.Addr{}, now); !ok {
		t.Error("a sender without an address has none")
	}
}

func TestAnIPv6SenderIsItsNetwork(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8::1", "2001:db8::ffff:2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "192.0.2.1", true},
		{"0.0.0.0", "::", false},
	} {
		if got := bucketOf(netip.MustParseAddr(tc.a)) == bucketOf(netip.MustParseAddr(tc.b)); got != tc.same {
			t.Errorf("%s and %s: %t", tc.a, tc.b, got)
		}
	}
}

func TestAMillionAddressesTakeNoMoreRoomAndLetOnesOwnIn(t *testing.T) {
	now := time.Unix(1e9, 0)
	rs := newRefusals(10, now)
	worst := netip.MustParseAddr("192.0.2.1")
	for range 1000 {
		rs.take(worst, now)
	}
	random := rand.New(rand.NewPCG(1, 2))
	var raw [16]byte
	raw[0] = 0x20
	for range 1_000_000 {
		binary.BigEndian.PutUint64(raw[2:], random.Uint64())
		if _, ok := rs.take(netip.AddrFrom16(raw), now); !ok {
			t.Fatal("an address that was never seen has none")
		}
	}
	total := 0
	for i := range rs.shards {
		if n := len(rs.shards[i].full); n > shardCapacity {
			t.Errorf("%d addresses in a shard", n)
		}
		total += len(rs.shards[i].full)
	}
	if total != shards*shardCapacity {
		t.Errorf("%d addresses are remembered", total)
	}
}

// Those who have done little make room first.
func TestTheWorstIsRememberedTheLongest(t *testing.T) {
	now := time.Unix(1e9, 0)
	s := &refusalShard{}
	s.makeRoom(0)
	s.full[[16]byte{1}] = int64(10 * time.Second)
	for i := range uint16(5000) {
		s.makeRoom(int64(now.Nanosecond()))
		s.full[[16]byte{2, byte(i >> 8), byte(i)}] = 1 + int64(i)%3
	}
	if _, ok := s.full[[16]byte{1}]; !ok {
		t.Error("the worst was forgotten")
	}
}

func TestOnlyWhatIsRefusedIsEverAnswered429(t *testing.T) {
	h := newHandler(t, &Handler{MaxRefused: 1})
	ask := func(addr string, err error) hook.Code {
		w, r := newRequest(addr)
		got := h.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return err }))
		if got == nil {
			return "passed"
		}
		if problem.CodeOf(got) == hook.CodeTooManyRefused {
			e, ok := errors.AsType[*hook.Error](got)
			if he, isHandler := errors.AsType[caddyhttp.HandlerError](got); !ok || e.RetryAfter <= 0 || !isHandler || he.StatusCode != http.StatusTooManyRequests {
				t.Errorf("got %v", got)
			}
		}
		return problem.CodeOf(got)
	}
	const addr = "192.0.2.1"
	unauthorized := problem.Error(&hook.Error{Code: hook.CodeUnauthorized})
	for range burst {
		if got := ask(addr, unauthorized); got != hook.CodeUnauthorized {
			t.Fatalf("got %s", got)
		}
	}
	for _, tc := range []struct {
		name string
		addr string
		err  error
		want hook.Code
	}{
		{"one more refusal", addr, unauthorized, hook.CodeTooManyRefused},
		{"a refusal of Caddy's", addr, caddyhttp.Error(http.StatusForbidden, nil), hook.CodeTooManyRefused},
		{"a good request", addr, nil, "passed"},
		{"a failure of ours", addr, problem.Error(hook.ErrStoreUnavailable), hook.CodeStoreUnavailable},
		{"a conflict", addr, problem.Error(hook.ErrConflict), hook.CodeConflict},
		{"early data", addr, problem.Error(&hook.Error{Code: hook.CodeTooEarly}), hook.CodeTooEarly},
		{"another address", "192.0.2.2", unauthorized, hook.CodeUnauthorized},
		{"no address", "", unauthorized, hook.CodeUnauthorized},
	} {
		if got := ask(tc.addr, tc.err); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	if h := newHandler(t, &Handler{MaxRefused: -1}); h.refused != nil {
		t.Error("without a limit refusals are counted")
	}
}

func BenchmarkTake(b *testing.B) {
	rs := newRefusals(1000, time.Now())
	addr := netip.MustParseAddr("2001:db8::1")
	now := time.Now()
	for b.Loop() {
		rs.take(addr, now)
	}
}
