package rabbitmq

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Server is where a node listens.
type Server struct {
	Addr string // host:port
	Host string // the name that its certificate must have
}

// Endpoints are what a list of URLs says.
type Endpoints struct {
	Servers     []Server
	Vhost       string
	TLS         bool // amqps
	Credentials Credentials
}

// ParseURLs reads URLs of the form amqp[s]://[user[:password]@]host[:port][/vhost]
// (https://www.rabbitmq.com/docs/uri-spec). The port is 5672, and 5671 for
// amqps, where it is left out; the virtual host is /. All URLs must agree in
// everything but host and port; nothing else may be in them. Its errors name a
// URL by its place, and never quote it.
func ParseURLs(urls ...string) (Endpoints, error) {
	var all Endpoints
	if len(urls) == 0 {
		return all, errors.New("rabbitmq: no URL")
	}
	for i, raw := range urls {
		e, err := parseURL(raw)
		if err != nil {
			return Endpoints{}, fmt.Errorf("rabbitmq: URL %d: %w", i+1, err)
		}
		servers := append(all.Servers, e.Servers...)
		switch {
		case i == 0:
			all = e
		case e.TLS != all.TLS:
			return Endpoints{}, fmt.Errorf("rabbitmq: URL %d: its scheme is not that of the first", i+1)
		case e.Vhost != all.Vhost:
			return Endpoints{}, fmt.Errorf("rabbitmq: URL %d: its virtual host is not that of the first", i+1)
		case e.Credentials != all.Credentials:
			return Endpoints{}, fmt.Errorf("rabbitmq: URL %d: its user or password is not that of the first", i+1)
		}
		all.Servers = servers
	}
	return all, nil
}

// maxName is how long a name can be in AMQP, in bytes.
const maxName = 255

func parseURL(raw string) (Endpoints, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Endpoints{}, errors.New("is not a URL; a reserved character in the user or the password must be percent-encoded") // the error quotes it
	}
	e := Endpoints{TLS: u.Scheme == "amqps", Vhost: "/"}
	switch {
	case u.Scheme != "amqp" && u.Scheme != "amqps":
		return e, errors.New("its scheme is not amqp or amqps, as in amqp://host/vhost")
	case u.Opaque != "" || u.Hostname() == "":
		return e, errors.New("a host is missing")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return e, errors.New("it takes no options after ? or #")
	case strings.HasSuffix(u.Host, ":"):
		return e, errors.New("its port is empty")
	}
	port := "5672"
	if e.TLS {
		port = "5671"
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return e, errors.New("its port is not one of 1 to 65535")
		}
		port = p
	}
	e.Servers = []Server{{Addr: net.JoinHostPort(u.Hostname(), port), Host: u.Hostname()}}
	if path := strings.TrimPrefix(u.EscapedPath(), "/"); path != "" {
		if strings.Contains(path, "/") {
			return e, errors.New("a slash in its virtual host must be written %2F")
		}
		if e.Vhost, err = url.PathUnescape(path); err != nil {
			return e, errors.New("its virtual host is not percent-encoded rightly")
		}
		if len(e.Vhost) > maxName {
			return e, fmt.Errorf("its virtual host is longer than %d bytes", maxName)
		}
	}
	if u.User != nil {
		e.Credentials.Username = u.User.Username()
		e.Credentials.Password, _ = u.User.Password()
	}
	return e, nil
}
