package hook

import (
	"strings"
	"testing"
)

func TestTheKeyOfALetterTellsItFromOthers(t *testing.T) {
	a, b := Fingerprint{1}, Fingerprint{2}
	keys := map[string]string{}
	for name, key := range map[string]string{
		"an event":                            ParkKey("h", "1", a),
		"the same body under another ID":      ParkKey("h", "2", a),
		"another body under the same ID":      ParkKey("h", "1", b),
		"the same event on another hook":      ParkKey("g", "1", a),
		"the same body without an ID":         ParkKey("h", "", a),
		"another body without an ID":          ParkKey("h", "", b),
		"an ID that names the body's digest":  ParkKey("h", DigestID(a), a),
		"an ID that begins like the next one": ParkKey("h", "11", a),
		"the event's own key":                 EventKey("h", "1"),
	} {
		if other, there := keys[key]; there {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[key] = name
	}
	if _, there := keys[ParkKey("h", "1", Fingerprint{1})]; !there {
		t.Error("one event has two keys")
	}
}

func TestTheKeyOfANamelessHookTellsResourcesApart(t *testing.T) {
	keys := map[string]string{}
	for name, key := range map[string]string{
		"a resource":                         ResourceKey("h", []string{"POST", "/a"}, "1"),
		"another path":                       ResourceKey("h", []string{"POST", "/b"}, "1"),
		"another method":                     ResourceKey("h", []string{"PUT", "/a"}, "1"),
		"another ID":                         ResourceKey("h", []string{"POST", "/a"}, "2"),
		"the same letters, parted elsewhere": ResourceKey("h", []string{"POST/", "a"}, "1"),
		"a part less":                        ResourceKey("h", []string{"POST"}, "/a1"),
		"no resource":                        ResourceKey("h", nil, "1"),
		"a hook with a name":                 EventKey("h", "1"),
	} {
		if other, there := keys[key]; there {
			t.Errorf("%s and %s have one key", name, other)
		}
		keys[key] = name
	}
	if _, there := keys[ResourceKey("h", []string{"POST", "/a"}, "1")]; !there {
		t.Error("one event has two keys")
	}
}

// The keys stand in stores that an older version has written to.
func TestKeysStayWhatTheyAre(t *testing.T) {
	const id = "evt_00000000000000000000000000000000"
	for got, want := range map[string]string{
		EventKey("pe-action-map", id):                            "hookgate:pe-action-map:uyQjNqhVUf1soD-fhznP0I",
		ResourceKey("default", []string{"POST", "/a"}, id):       "hookgate:default:9n6OJewA8UIG8aFvp20WYg",
		ParkKey("pe-action-map", id, Fingerprint{1}):             "park:pe-action-map:j6JROpwK3y14o5Avp-fmli",
		ParkKey("pe-action-map", "", Fingerprint{1}):             "park:pe-action-map:AQAAAAAAAAAAAAAAAAAAAA",
		InboxKey("pe-action-map", id, 0):                         "inbox:pe-action-map:uyQjNqhVUf1soD-fhznP0I",
		InboxKey("pe-action-map", id, 12):                        "inbox:pe-action-map:uyQjNqhVUf1soD-fhznP0I:12",
		DigestID(Fingerprint{1}):                                 "sha256:01" + strings.Repeat("0", 62),
		LogID(id):                                                "bb242336a85551fd",
		EventKey(strings.Repeat("h", 64), strings.Repeat(id, 9)): "hookgate:" + strings.Repeat("h", 64) + ":As__BVqRWAUmGi0GccUgto",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if IsInboxKey(got) != strings.HasPrefix(want, "inbox:") {
			t.Errorf("%s: a key of the inbox: %v", got, IsInboxKey(got))
		}
	}
}
