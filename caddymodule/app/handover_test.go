package app

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// spoken is a connection whose protocol was agreed on in its TLS handshake.
type spoken struct {
	net.Conn
	protocol string
}

func (s *spoken) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{NegotiatedProtocol: s.protocol}
}

func TestOnlyConnectionsThatLastForMoreRequestsAreWaitedFor(t *testing.T) {
	type states = []http.ConnState
	for _, tc := range []struct {
		name         string
		conn         net.Conn
		states       states
		unread, kept int
	}{
		{"one that was accepted", new(net.TCPConn), states{http.StateNew}, 1, 0},
		{"one that is read from", new(net.TCPConn), states{http.StateNew, http.StateActive}, 0, 1},
		{"one between two requests", new(net.TCPConn), states{http.StateNew, http.StateActive, http.StateIdle}, 0, 1},
		{"one with its second request", new(net.TCPConn), states{http.StateNew, http.StateActive, http.StateIdle, http.StateActive}, 0, 1},
		{"one that is closed", new(net.TCPConn), states{http.StateNew, http.StateActive, http.StateIdle, http.StateClosed}, 0, 0},
		{"one that is closed unread", new(net.TCPConn), states{http.StateNew, http.StateClosed}, 0, 0},
		{"one that is another's now", new(net.TCPConn), states{http.StateNew, http.StateActive, http.StateHijacked}, 0, 0},
		{"one with TLS", &spoken{protocol: "http/1.1"}, states{http.StateNew, http.StateActive}, 0, 1},
		{"one of HTTP/2", &spoken{protocol: "h2"}, states{http.StateNew, http.StateActive, http.StateIdle}, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ho := &handover{unread: make(map[net.Conn]struct{}), kept: make(map[net.Conn]struct{})}
			for _, state := range tc.states {
				ho.note(tc.conn, state)
			}
			if len(ho.unread) != tc.unread || ho.lasting() != tc.kept {
				t.Errorf("%d are unread and %d last, want %d and %d", len(ho.unread), ho.lasting(), tc.unread, tc.kept)
			}
		})
	}
}

func TestAnAnswerSaysFarewellOnceItsConfigIsAboutToStop(t *testing.T) {
	for _, tc := range []struct {
		name    string
		leaving bool
		major   int
		want    string
	}{
		{"while the config stays", false, 1, ""},
		{"when the config leaves", true, 1, "close"},
		{"on HTTP/2, which ends by itself", true, 2, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rt := &Runtime{handover: new(handover)}
			rt.handover.leaving.Store(tc.leaving)
			w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/", nil)
			r.ProtoMajor = tc.major
			rt.Farewell(w, r)
			if got := w.Header().Get("Connection"); got != tc.want {
				t.Errorf("Connection is %q", got)
			}
		})
	}
}

func TestAFileNeedsRoomForEvents(t *testing.T) {
	for size, good := range map[int64]bool{0: true, -1: false, 1: false, minFileSize - 1: false, minFileSize: true, 4 << 30: true} {
		if err := checkFileSize(size); (err == nil) != good {
			t.Errorf("%d: %v", size, err)
		}
	}
	if _, _, err := (&EmbeddedQueue{MaxSize: 10}).OpenQueue(Env{DataDir: t.TempDir()}); err == nil {
		t.Error("a queue without room is opened")
	}
}
