package genesystest

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"
)

// Fault is how an answer is spoiled.
type Fault struct {
	Status     int // 0: the proper answer
	Code       string
	Message    string
	RetryAfter int // seconds

	Delay    time.Duration // before anything
	Truncate bool          // the answer breaks off in the middle
	HTML     bool          // the answer is a page of a proxy
	Reset    bool          // the connection ends without an answer
	After    bool          // what was asked for is done all the same
}

// Faults that happen.
func TooManyRequests(seconds int) Fault {
	return Fault{
		Status: http.StatusTooManyRequests, Code: "too.many.requests.retry.after", RetryAfter: seconds,
		Message: "Rate limit exceeded the maximum. Retry the request in [" + strconv.Itoa(seconds) + "] seconds",
	}
}

// Failing answers with a status.
func Failing(status int) Fault {
	return Fault{Status: status, Code: "internal.server.error", Message: http.StatusText(status)}
}

// Unauthorized refuses the token.
func Unauthorized() Fault {
	return Fault{Status: http.StatusUnauthorized, Code: "bad.credentials", Message: "Invalid login credentials."}
}

// MissingPermission refuses the client.
func MissingPermission(permission string) Fault {
	_, body := missing(permission)
	e := body.(*errorBody)
	return Fault{Status: http.StatusForbidden, Code: e.Code, Message: e.Message}
}

// Conflict is the answer to a version that is not the current one.
func Conflict() Fault {
	return Fault{Status: http.StatusConflict, Code: "general.conflict", Message: "The version is not the current one."}
}

// BadVersion is the other one.
func BadVersion() Fault {
	return Fault{Status: http.StatusBadRequest, Code: "bad.request", Message: "The version 1 does not match the current version 2"}
}

type fault struct {
	Fault
	method, path string
	times        int
}

// Misbehave spoils the next calls of a method and a path, as in Calls. times
// below zero is for ever.
func (s *Server) Misbehave(method, path string, times int, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault{Fault: f, method: method, path: path, times: times})
}

// Behave takes all faults back.
func (s *Server) Behave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault returns the fault for a request. The server is locked.
func (s *Server) takeFault(r *http.Request) *fault {
	for _, f := range s.faults {
		if f.times != 0 && matches(f.method, f.path, r.Method, r.URL.Path) {
			f.times--
			return f
		}
	}
	return nil
}

func (f *fault) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if f.Delay > 0 {
		select {
		case <-time.After(f.Delay):
		case <-r.Context().Done():
			return
		}
	}
	proper := httptest.NewRecorder()
	if f.After || f.Status == 0 && !f.HTML && !f.Reset {
		proper.Header().Set("ININ-Correlation-Id", w.Header().Get("ININ-Correlation-Id"))
		next.ServeHTTP(proper, r)
	}
	switch {
	case f.Reset:
		panic(http.ErrAbortHandler)
	case f.HTML:
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(max(f.Status, http.StatusOK))
		_, _ = w.Write([]byte("<html>Please log in to the proxy</html>"))
	case f.Status != 0:
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		answer(w, f.Status, problem(f.Code, f.Message))
	default:
		body := proper.Body.Bytes()
		for k, v := range proper.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(proper.Code)
		if f.Truncate {
			body = body[:len(body)/2]
		}
		_, _ = w.Write(body)
	}
}
