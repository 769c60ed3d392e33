package genesys_test

import (
	"strings"
	"testing"

	"github.com/hookgate/hookgate/genesys"
)

func TestAnEnvironmentIsFoundByRegionDomainOrURL(t *testing.T) {
	for place, domain := range map[string]string{
		"us-east-1":                   "mypurecloud.com",
		"us-east-2":                   "use2.us-gov-pure.cloud",
		"eu-central-1":                "mypurecloud.de",
		"EU_Central_1":                "mypurecloud.de",
		"me_central_1":                "mec1.pure.cloud",
		"ap_northeast_3":              "apne3.pure.cloud",
		"eusc-de-east-1":              "edee1.eusc-pure.cloud",
		"ap-southeast-2":              "mypurecloud.com.au",
		"mypurecloud.de":              "mypurecloud.de",
		"MyPureCloud.ie":              "mypurecloud.ie",
		"apps.mypurecloud.de":         "mypurecloud.de",
		"api.new1.pure.cloud":         "new1.pure.cloud",
		"login.mypurecloud.jp":        "mypurecloud.jp",
		"https://api.mypurecloud.de":  "mypurecloud.de",
		"https://api.mypurecloud.de/": "mypurecloud.de",
	} {
		got, err := genesys.ParseEnvironment(place)
		if want := (genesys.Environment{API: "https://api." + domain, Login: "https://login." + domain}); err != nil || got != want {
			t.Errorf("%s: got %+v, %v", place, got, err)
		}
	}
}

func TestAllRegionsHaveADomainOfTheirOwn(t *testing.T) {
	if n := len(genesys.Regions()); n != 18 {
		t.Errorf("there are %d regions", n)
	}
	hosts := map[string]string{}
	for _, name := range genesys.Regions() {
		e, err := genesys.ParseEnvironment(name)
		if err != nil {
			t.Error(err)
		}
		if other, taken := hosts[e.API]; taken {
			t.Errorf("%s and %s are both at %s", name, other, e.API)
		}
		hosts[e.API] = name
	}
}

func TestAPlaceThatIsNoneIsRefused(t *testing.T) {
	for place, want := range map[string]string{
		"":                                 "the regions are ap-northeast-1, ",
		"eu-central-9":                     "the regions are ap-northeast-1, ",
		"my purecloud.de":                  "no domain",
		"-mypurecloud.de":                  "no domain",
		"mypurecloud.de/api":               "no domain",
		"http://api.mypurecloud.de":        "begins with https://",
		"ftp://api.mypurecloud.de":         "begins with https://",
		"https://mypurecloud.de":           "the URL of the login is missing",
		"https://api.mypurecloud.de/v2":    "not one such as",
		"https://api.mypurecloud.de?x=1":   "not one such as",
		"https://me:pw@api.mypurecloud.de": "not one such as",
		"https://":                         "not one such as",
	} {
		if got, err := genesys.ParseEnvironment(place); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "pw") {
			t.Errorf("%q: got %+v, %v; want %s", place, got, err, want)
		}
	}
}

func TestPlainHTTPIsForLoopbackAlone(t *testing.T) {
	if _, err := genesys.ParseURLs("http://127.0.0.1:8080", "http://localhost:8081"); err != nil {
		t.Error(err)
	}
	for _, urls := range [][2]string{{"http://192.0.2.1", "http://127.0.0.1"}, {"http://127.0.0.1", "http://login.example.com"}} {
		if _, err := genesys.ParseURLs(urls[0], urls[1]); err == nil {
			t.Errorf("%v were taken", urls)
		}
	}
}
