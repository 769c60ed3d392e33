package rabbitmq

import (
	"testing"

	"go.uber.org/zap"

	"github.com/hookgate/hookgate/integration/servers"
)

func TestAServerThatIsNotThereAtTheStartIsFoundLater(t *testing.T) {
	proxy := servers.NewProxy(t, broker(t).Addr)
	proxy.Refuse()
	option, logs := logged()
	q := begin(t, proxy.Addr, option)
	atOnce(t, q)
	warned := func() int { return logs.FilterLevelExact(zap.WarnLevel).FilterMessage("RabbitMQ cannot be used").Len() }
	eventually(t, "it says that the server is not there", func() bool { return warned() > 0 })
	failures := q.Stats().Failures
	eventually(t, "it has tried again", func() bool { return q.Stats().Failures > failures+1 })
	proxy.Resume()
	mustPublish(t, q, sample("evt_1"))
	if n := warned(); n != 1 {
		t.Errorf("it was said %d times", n)
	}
}

// Which of two servers is down is drawn: both are, one after the other.
func TestConnectionsAreSpreadOverTheServersThatAreThere(t *testing.T) {
	proxies := []*servers.Proxy{servers.NewProxy(t, broker(t).Addr), servers.NewProxy(t, broker(t).Addr)}
	on := func(want ...int) func() bool {
		return func() bool { return proxies[0].Connections() == want[0] && proxies[1].Connections() == want[1] }
	}
	proxies[0].Refuse()
	q := begin(t, proxies[0].Addr, func(o *Options) {
		o.Servers = append(o.Servers, Server{Addr: proxies[1].Addr})
	})
	eventually(t, "the other one is taken", on(0, 1))
	mustPublish(t, q, sample("evt_1"))
	proxies[0].Resume()
	eventually(t, "there is one to each", on(1, 1))
	proxies[1].Refuse()
	eventually(t, "there is one left", on(1, 0))
	mustPublish(t, q, sample("evt_2"))
	proxies[1].Resume()
	eventually(t, "there is one to each again", on(1, 1))
	eventually(t, "both are used", func() bool { return q.Stats().Open == 2 })
	mustPublish(t, q, sample("evt_3"))
}

func TestLinksTakeTheServersWithTheFewestOthersInTurn(t *testing.T) {
	for _, tc := range []struct {
		name    string
		servers int
		others  []int // at which servers the other links are
		want    []int // where a link tries one after the other
	}{
		{"one server has all links", 1, []int{0, 0}, []int{0, 0}},
		{"a link that is alone tries all", 3, []int{-1}, []int{0, 1, 2, 0}},
		{"the server of another link is left out", 3, []int{1}, []int{0, 2, 2, 0}},
		{"two servers and two links have one each", 2, []int{1}, []int{0, 0}},
		{"more links than servers are spread evenly", 2, []int{0, 1, 1}, []int{0, 0}},
		{"where all have as many, each is tried", 2, []int{0, 1}, []int{0, 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := &Queue{opts: Options{Servers: make([]Server, tc.servers)}}
			for _, at := range tc.others {
				q.links = append(q.links, &link{at: at})
			}
			l := newLink(q)
			q.links = append(q.links, l)
			for n, want := range tc.want {
				if q.serverFor(l); l.at != want {
					t.Errorf("attempt %d is at server %d, not %d", n+1, l.at, want)
				}
			}
		})
	}
}
