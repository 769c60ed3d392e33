package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// noID stands in the bodies where the event ID goes.
const noID = "evt_00000000000000000000000000000000"

// bodies are events as an Action Map sends them: 450 bytes on average. Only
// the event IDs differ from one request to the next, so that the load costs
// next to nothing to make.
var bodies = []string{
	`{"campaignId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","campaignName":"Q4_Retention_Outbound","contactId":"98765432-10fe-dcba-0987-654321fedcba",` +
		`"contactNumber":"+14155550123","callOutcome":"answered","agentId":"11223344-5566-7788-99aa-bbccddeeff00","agentName":"Sarah_Jenkins",` +
		`"dispositionCode":"INTERESTED_CALLBACK","dispositionLabel":"Interested - Callback Scheduled","callDurationSeconds":142,` +
		`"timestamp":"2026-05-14T18:32:11.450Z","webhookEventId":"` + noID + `"}`,
	`{"campaignId":"0f9e8d7c-6b5a-4432-9110-ffeeddccbbaa","campaignName":"Spring_Renewals","contactId":"5c4b3a29-1807-46f5-a4d3-c2b1a0f9e8d7",` +
		`"contactNumber":"+12125550177","callOutcome":"no_answer","callDurationSeconds":0,` +
		`"timestamp":"2026-05-14T18:32:12.007Z","webhookEventId":"` + noID + `"}`,
	`{"campaignId":"7d1f0a52-93c4-4be1-8f60-2d5e9b7c4a13","campaignName":"Loyalty_Winback","contactId":"e2c96b0d-5a17-4f38-b1c4-90d7f3a6258e",` +
		`"contactNumber":"+16175550104","callOutcome":"answered","agentId":"c0ffee00-1234-4abc-9def-0123456789ab","agentName":"Anna_Müller",` +
		`"dispositionCode":"DO_NOT_CALL","dispositionLabel":"Do Not Call Again – Asked For","callDurationSeconds":37,` +
		`"timestamp":"2026-05-14T18:32:12.391Z","webhookEventId":"` + noID + `"}`,
	`{"campaignId":"a1b2c3d4-e5f6-7890-abcd-ef1234567890","campaignName":"Q4_Retention_Outbound","contactId":"4f1c2d3e-6a7b-4c8d-9e0f-1a2b3c4d5e6f",` +
		`"contactNumber":"+18085550168","callOutcome":"voicemail","agentId":null,"agentName":null,` +
		`"dispositionCode":null,"dispositionLabel":null,"callDurationSeconds":21,` +
		`"timestamp":"2026-05-14T18:32:12.850Z","webhookEventId":"` + noID + `"}`,
}

// requests makes the requests of one connection, each with an event ID that
// nobody else has.
type requests struct {
	raw  [][]byte // whole requests, by body
	ids  [][]byte // where the event ID of each is, without its evt_
	next int
}

func newRequests(host string) *requests {
	r := new(requests)
	prefix := make([]byte, len(noID)-len("evt_"))
	for i := range prefix {
		prefix[i] = digits[rand.N(len(digits))]
	}
	counter := prefix[len(prefix)-counterDigits:]
	for i := range counter {
		counter[i] = '0'
	}
	for _, body := range bodies {
		raw := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: hookgate-bench\r\nAccept: application/json\r\n"+
			"Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s", hookPath, host, len(body), body)
		at := bytes.Index(raw, []byte(noID)) + len("evt_")
		id := raw[at : at+len(prefix)]
		copy(id, prefix)
		r.raw, r.ids = append(r.raw, raw), append(r.ids, id)
	}
	return r
}

const digits = "0123456789abcdefghijklmnopqrstuvwxyz"

// counterDigits is how many digits of an ID count the requests of its
// connection; the others tell the connections apart.
const counterDigits = 8

// last returns the event ID of the request that was returned last.
func (r *requests) last() string { return "evt_" + string(r.ids[(r.next-1)%len(r.raw)]) }

// request returns the next request. It is good until the one after it.
func (r *requests) request() []byte {
	i := r.next % len(r.raw)
	id := r.ids[i]
	for n, at := r.next, len(id)-1; n > 0; n, at = n/len(digits), at-1 {
		id[at] = digits[n%len(digits)]
	}
	r.next++
	return r.raw[i]
}
