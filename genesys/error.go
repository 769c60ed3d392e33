package genesys

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// Error is an answer that says no.
type Error struct {
	Method string
	Path   string // without the query

	Status    int
	Code      string // missing.any.permissions and the like; of the login: invalid_client
	Message   string
	ContextID string // by which Genesys's support finds the request: ININ-Correlation-Id
	Details   []Detail

	RetryAfter time.Duration // what Genesys asked for, or 0
}

// Detail is one of several reasons.
type Detail struct {
	ErrorCode string `json:"errorCode"`
	FieldName string `json:"fieldName"`
}

// tokenPath is where tokens come from, on the host of the login.
const tokenPath = "/oauth/token"

// Error implements error. It says what to do where that is known.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "genesys: %s %s: %d", e.Method, e.Path, e.Status)
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Message != "" {
		b.WriteString(": " + strings.TrimRight(e.Message, ". "))
	}
	for _, d := range e.Details {
		if d.FieldName != "" || d.ErrorCode != "" {
			fmt.Fprintf(&b, " (%s)", strings.TrimSpace(d.FieldName+" "+d.ErrorCode))
		}
	}
	if e.ContextID != "" {
		fmt.Fprintf(&b, " [contextId %s]", e.ContextID)
	}
	if advice := e.Advice(); advice != "" {
		b.WriteString("; " + advice)
	}
	return b.String()
}

const addressAdvice = "the OAuth client's allowed IP addresses (new client-credentials clients must declare them), and those of the organization, must hold the address that this machine sends from"

// Advice says what a person can do, and is empty where that is not known.
func (e *Error) Advice() string {
	atLogin := e.Path == tokenPath
	switch {
	case atLogin && (e.Status == http.StatusBadRequest || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden):
		return "check the ID and the secret of the OAuth client, that its grant type is Client Credentials, and that its organization is in this region; " + addressAdvice
	case e.Status == http.StatusUnauthorized:
		return "a new token was not taken either: look whether the OAuth client was changed; " + addressAdvice
	case e.Status == http.StatusForbidden && len(e.Permissions()) > 0:
		return "give the OAuth client a role with " + strings.Join(e.Permissions(), " or ") + " (Admin > Integrations > OAuth > Roles)"
	case e.Status == http.StatusForbidden:
		return "look at the roles of the OAuth client, and their divisions; " + addressAdvice
	case e.Status == http.StatusTooManyRequests && e.RetryAfter > 0:
		return fmt.Sprintf("try again in %s", e.RetryAfter)
	}
	return ""
}

var permission = regexp.MustCompile(`\b[A-Za-z]+:[A-Za-z*]+:[A-Za-z*]+\b`)

// Permissions returns those that Genesys says are missing.
func (e *Error) Permissions() []string { return permission.FindAllString(e.Message, -1) }

// IsNotFound reports whether what was asked for is not there.
func IsNotFound(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Status == http.StatusNotFound
}

// IsVersionConflict reports whether somebody else changed the object since it
// was read.
func IsVersionConflict(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status == http.StatusConflict ||
		e.Status == http.StatusBadRequest && strings.Contains(e.Message, "does not match the current version"))
}

// Unclear reports whether a request that failed may have been carried out all
// the same: the connection broke, or a proxy gave up waiting.
func Unclear(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status >= 500
	}
	_, unread := errors.AsType[*answerError](err)
	_, unsent := errors.AsType[*transportError](err)
	return unread || unsent
}

// answerError is an answer that cannot be understood.
type answerError struct {
	request *Request
	status  int
	context string
	reason  string
	err     error
}

func (e *answerError) Error() string {
	s := fmt.Sprintf("genesys: %s %s: the answer with the status %d %s", e.request.Method, e.request.Path, e.status, e.reason)
	if e.err != nil {
		s += ": " + e.err.Error()
	}
	if e.context != "" {
		s += " [contextId " + e.context + "]"
	}
	return s
}

func (e *answerError) Unwrap() error { return e.err }

// transportError is a request without an answer.
type transportError struct {
	request *Request
	err     error
}

func (e *transportError) Error() string {
	return fmt.Sprintf("genesys: %s %s: %v", e.request.Method, e.request.Path, e.err)
}

func (e *transportError) Unwrap() error { return e.err }

// maxMessage is how much of a message is kept, in bytes.
const maxMessage = 1000

// readError makes an Error of an answer's body, which may be anything: a proxy
// in between answers in HTML.
func readError(req *Request, resp *http.Response, body []byte, hide func(string) string) *Error {
	var doc struct {
		Message   string   `json:"message"`
		Code      string   `json:"code"`
		ContextID string   `json:"contextId"`
		Details   []Detail `json:"details"`
		Error     string   `json:"error"` // of the login
		About     string   `json:"error_description"`
	}
	e := &Error{Method: req.Method, Path: req.Path, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header)}
	if json.Unmarshal(body, &doc) == nil {
		e.Code, e.Message, e.ContextID = firstOf(doc.Code, doc.Error), firstOf(doc.Message, doc.About), doc.ContextID
		for _, d := range doc.Details {
			e.Details = append(e.Details, Detail{ErrorCode: plain(hide(d.ErrorCode)), FieldName: plain(hide(d.FieldName))})
		}
	}
	if e.Message == "" {
		e.Message = http.StatusText(resp.StatusCode)
	}
	e.ContextID = plain(firstOf(e.ContextID, resp.Header.Get(headerContextID)))
	e.Code, e.Message = plain(hide(e.Code)), plain(hide(e.Message))
	return e
}

// plain makes one short line of a text from elsewhere.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "..."
	}
	return s
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
