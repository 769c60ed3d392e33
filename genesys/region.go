package genesys

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// regions has the domain of each AWS region that Genesys Cloud is in.
var regions = map[string]string{
	"us-east-1":      "mypurecloud.com",
	"us-east-2":      "use2.us-gov-pure.cloud",
	"us-west-2":      "usw2.pure.cloud",
	"ca-central-1":   "cac1.pure.cloud",
	"sa-east-1":      "sae1.pure.cloud",
	"mx-central-1":   "mxc1.pure.cloud",
	"eu-west-1":      "mypurecloud.ie",
	"eu-west-2":      "euw2.pure.cloud",
	"eu-central-1":   "mypurecloud.de",
	"eu-central-2":   "euc2.pure.cloud",
	"eusc-de-east-1": "edee1.eusc-pure.cloud",
	"me-central-1":   "mec1.pure.cloud",
	"ap-south-1":     "aps1.pure.cloud",
	"ap-southeast-1": "apse1.pure.cloud",
	"ap-southeast-2": "mypurecloud.com.au",
	"ap-northeast-1": "mypurecloud.jp",
	"ap-northeast-2": "apne2.pure.cloud",
	"ap-northeast-3": "apne3.pure.cloud",
}

// Regions returns the names of the regions, sorted.
func Regions() []string { return slices.Sorted(maps.Keys(regions)) }

// Environment is where an organization is.
type Environment struct {
	API   string // base URL of the API, without a slash at its end
	Login string // base URL of the login, which is another host
}

var domain = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)

// ParseEnvironment finds an environment by the name of its region, such as
// eu-central-1 (eu_central_1 is the same), by its domain, such as mypurecloud.de,
// with or without api, apps or login before it, or by the URL of its API.
func ParseEnvironment(place string) (Environment, error) {
	if strings.Contains(place, "://") {
		return ParseURLs(place, "")
	}
	name := strings.ToLower(place)
	host, known := regions[strings.ReplaceAll(name, "_", "-")]
	if !known {
		host = name
		for _, prefix := range []string{"api.", "apps.", "login."} {
			host = strings.TrimPrefix(host, prefix)
		}
		if !domain.MatchString(host) {
			return Environment{}, fmt.Errorf("%q is no region of Genesys Cloud and no domain: the regions are %s", place, strings.Join(Regions(), ", "))
		}
	}
	return Environment{API: "https://api." + host, Login: "https://login." + host}, nil
}

// ParseURLs takes the base URLs as they are. Without one for the login it is
// the API's with login in place of api. Plain HTTP is for loopback alone: a
// secret goes over it.
func ParseURLs(api, login string) (Environment, error) {
	a, err := baseURL("API", api)
	if err != nil {
		return Environment{}, err
	}
	if login == "" {
		host, ok := strings.CutPrefix(a.Host, "api.")
		if !ok {
			return Environment{}, errors.New("the URL of the login is missing: it follows from the API's only for a host such as api.example.com")
		}
		login = a.Scheme + "://login." + host
	}
	l, err := baseURL("login", login)
	if err != nil {
		return Environment{}, err
	}
	return Environment{API: a.String(), Login: l.String()}, nil
}

// baseURL checks a URL to which paths are appended.
func baseURL(what, text string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	switch {
	case err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("the URL of the %s is not one such as https://%s.mypurecloud.de", what, strings.ToLower(what))
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("the URL of the %s begins with https://: secrets go over it", what)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
