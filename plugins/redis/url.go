package redis

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// Endpoints are what a list of URLs says.
type Endpoints struct {
	Addrs       []string // host:port
	DB          int
	TLS         bool // rediss
	Credentials Credentials
}

// ParseURLs reads URLs of the form redis[s]://[user[:password]@]host[:port][/db].
// The port is 6379 where it is left out. All URLs must agree in everything but
// host and port; nothing else may be in them. Its errors name a URL by its
// place, and never quote it.
func ParseURLs(urls ...string) (Endpoints, error) {
	var all Endpoints
	if len(urls) == 0 {
		return all, errors.New("redis: no URL")
	}
	for i, raw := range urls {
		e, err := parseURL(raw)
		if err != nil {
			return Endpoints{}, fmt.Errorf("redis: URL %d: %w", i+1, err)
		}
		addr := e.Addrs[0]
		e.Addrs = nil
		switch {
		case i == 0:
			all = e
		case e.TLS != all.TLS:
			return Endpoints{}, fmt.Errorf("redis: URL %d: its scheme is not that of the first", i+1)
		case e.DB != all.DB:
			return Endpoints{}, fmt.Errorf("redis: URL %d: its database is not that of the first", i+1)
		case e.Credentials != all.Credentials:
			return Endpoints{}, fmt.Errorf("redis: URL %d: its user or password is not that of the first", i+1)
		}
		all.addAddr(addr)
	}
	return all, nil
}

func (e *Endpoints) addAddr(addr string) { e.Addrs = append(e.Addrs, addr) }

func parseURL(raw string) (Endpoints, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Endpoints{}, errors.New("is not a URL") // the error quotes it
	}
	e := Endpoints{TLS: u.Scheme == "rediss"}
	switch {
	case u.Scheme != "redis" && u.Scheme != "rediss":
		return e, errors.New("its scheme is not redis or rediss, as in redis://host:6379")
	case u.Opaque != "" || u.Hostname() == "":
		return e, errors.New("a host is missing")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return e, errors.New("it takes no options after ? or #")
	}
	port := "6379"
	if strings.HasSuffix(u.Host, ":") {
		return e, errors.New("its port is empty")
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return e, errors.New("its port is not one of 1 to 65535")
		}
		port = p
	}
	e.Addrs = []string{net.JoinHostPort(u.Hostname(), port)}
	if db := strings.TrimPrefix(u.Path, "/"); db != "" {
		n, err := strconv.ParseUint(db, 10, 16)
		if err != nil {
			return e, errors.New("its path is not the number of a database")
		}
		e.DB = int(n)
	}
	if u.User != nil {
		e.Credentials.Username = u.User.Username()
		e.Credentials.Password, _ = u.User.Password()
	}
	return e, nil
}
