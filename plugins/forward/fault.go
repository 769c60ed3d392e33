package forward

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hookgate/hookgate/hook"
)

// judge returns the fault that a status stands for, or nil.
func judge(status int, header http.Header, now time.Time) error {
	if status >= 200 && status < 300 {
		return nil
	}
	f := &hook.Fault{Kind: hook.KindTransient, Status: status, Message: "the downstream answered " + strconv.Itoa(status)}
	if text := http.StatusText(status); text != "" {
		f.Message += " " + text
	}
	switch status {
	case http.StatusBadRequest, http.StatusGone, http.StatusRequestEntityTooLarge,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		f.Kind = hook.KindPermanent
	default:
		f.RetryAfter = retryAfter(header.Get("Retry-After"), now)
	}
	if status >= 300 && status < 400 {
		f.Message += ", and redirects are not followed"
	}
	return f
}

// retryAfter reads a number of seconds or a date. What is neither, or is over,
// is 0; the longest is a week.
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) && !strings.HasPrefix(value, "-") {
		return time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}

// reason says why there was no answer. It holds no address, and nothing that
// the downstream has chosen.
func reason(ctx context.Context, err error, timeout time.Duration) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // the outer one quotes the URL
	}
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return "the attempt was interrupted"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() || ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("the downstream did not answer within %s", timeout)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name of the downstream cannot be resolved: " + e.Err
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate of the downstream is not trusted: " + certificateReason(e.Err)
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return "the downstream cannot be reached: " + e.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "the downstream closed the connection without an answer"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the downstream does not speak TLS"
	}
	return "the downstream gave no answer that can be read"
}

func certificateReason(err error) string {
	switch {
	case isType[x509.HostnameError](err):
		return "it is for another name"
	case isType[x509.UnknownAuthorityError](err):
		return "its authority is not known"
	case isType[x509.CertificateInvalidError](err):
		return "it is not valid, or not any more"
	}
	return "it cannot be verified"
}

func isType[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}
