package command

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/hookgate/hookgate/caddymodule/admin"
	"github.com/hookgate/hookgate/deadletter"
	"github.com/hookgate/hookgate/hook"
)

// remoteDesk is the desk of a running process. What changes many letters is
// done in steps of some seconds, each of which names its letters.
type remoteDesk struct {
	address string
}

// stepSize is how many letters a step has, and stepFor how long it is to take
// at most where there is a rate. That of a dry run is as large as a request may
// be.
const (
	stepSize    = admin.MaxStep
	dryStepSize = 500_000

	stepFor = 3 * time.Second
)

var (
	errCutOff = errors.New("the answer breaks off: the process was stopped, or has loaded another config; run it again")

	// errUnknown is errCutOff where something may have been changed.
	errUnknown = fmt.Errorf("%w", errCutOff)
)

// List implements deadletter.Desk.
func (d *remoteDesk) List(ctx context.Context, opts deadletter.ListOptions, fn func(*deadletter.Record) error) (matched int, err error) {
	ended := false
	err = d.ask(ctx, admin.SearchPath, opts, func(line []byte) error {
		var l struct {
			deadletter.Record
			End        bool   `json:"end"`
			Matched    int    `json:"matched"`
			Failure    string `json:"error"`
			Unreadable bool   `json:"unreadable"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return fmt.Errorf("the admin API at %s answers something else: %w", d.address, err)
		}
		if l.End {
			ended, matched = true, l.Matched
			if l.Unreadable {
				return unreadableThere(l.Failure)
			}
			if l.Failure != "" {
				return errors.New(l.Failure)
			}
			return nil
		}
		return fn(&l.Record)
	})
	if err == nil && !ended {
		err = errCutOff
	}
	return matched, err
}

// unreadableThere is an error of the process about letters that it cannot read.
type unreadableThere string

func (e unreadableThere) Error() string { return string(e) }

// Unwrap makes it one here too.
func (e unreadableThere) Unwrap() error { return &hook.Unreadable{Err: errors.New(string(e))} }

// Replay implements deadletter.Desk.
func (d *remoteDesk) Replay(ctx context.Context, opts deadletter.ReplayOptions, progress func(deadletter.Progress)) (deadletter.Report, error) {
	if err := opts.Check(); err != nil {
		return deadletter.Report{}, err
	}
	warning := ""
	ids, err := d.ids(ctx, opts.Filter)
	if deadletter.Unreadable(err) {
		warning, err = err.Error(), nil
	}
	if err != nil {
		return deadletter.Report{}, err
	}
	size := stepSize
	switch {
	case opts.DryRun: // each step looks through all letters, and this one changes nothing
		size = dryStepSize
	case opts.Rate > 0:
		size = max(1, min(size, int(opts.Rate*stepFor.Seconds())))
	}
	limit := opts.Limit
	opts.All = false
	report, err := d.steps(ctx, admin.ReplayPath, ids, size, limit, progress, func(step []string, left int) any {
		opts.Filter, opts.Limit = deadletter.Filter{IDs: step}, left
		return opts
	})
	report.Warning = cmp.Or(report.Warning, warning)
	return report, err
}

// Remove implements deadletter.Desk.
func (d *remoteDesk) Remove(ctx context.Context, opts deadletter.RemoveOptions, progress func(deadletter.Progress)) (deadletter.Report, error) {
	return d.steps(ctx, admin.DiscardPath, opts.IDs, stepSize, 0, progress, func(step []string, _ int) any {
		return deadletter.RemoveOptions{IDs: step}
	})
}

// Edit implements deadletter.Desk.
func (d *remoteDesk) Edit(ctx context.Context, opts deadletter.EditOptions) (edited deadletter.Edited, err error) {
	err = d.ask(ctx, admin.EditPath, opts, func(line []byte) error { return json.Unmarshal(line, &edited) })
	return edited, err
}

// ids returns those of the letters that are meant.
func (d *remoteDesk) ids(ctx context.Context, f deadletter.Filter) (ids []string, err error) {
	_, err = d.List(ctx, deadletter.ListOptions{Filter: f}, func(r *deadletter.Record) error {
		ids = append(ids, r.ID)
		return nil
	})
	return ids, err
}

// steps asks for letters in steps, with what is left of the limit, and adds the
// reports up.
func (d *remoteDesk) steps(ctx context.Context, path string, ids []string, size, limit int, progress func(deadletter.Progress), request func(step []string, left int) any) (total deadletter.Report, err error) {
	meant := len(ids)
	for len(ids) > 0 && ctx.Err() == nil {
		left := 0
		if limit > 0 {
			if left = limit - total.Done; left <= 0 {
				total.Limited = true
				break
			}
		}
		step := ids[:min(size, len(ids))]
		ids = ids[len(step):]
		report, e := d.step(ctx, path, request(step, left), func(p deadletter.Progress) {
			if progress != nil {
				progress(deadletter.Progress{Done: total.Done + p.Done, Kept: total.Kept + p.Kept, Matched: meant})
			}
		})
		if report.Matched == 0 && e != nil {
			report.Matched = len(step)
		}
		total.Add(report)
		if err = e; err != nil {
			break
		}
		if progress != nil {
			progress(deadletter.Progress{Done: total.Done, Kept: total.Kept, Matched: meant})
		}
	}
	total.Matched = max(total.Matched+len(ids), total.Done+total.Kept)
	total.Left = total.Matched - total.Done - total.Kept
	if err == nil {
		err = ctx.Err()
	}
	return total, err
}

// step asks for some letters.
func (d *remoteDesk) step(ctx context.Context, path string, request any, progress func(deadletter.Progress)) (report deadletter.Report, err error) {
	ended := false
	err = d.ask(ctx, path, request, func(line []byte) error {
		var s admin.Step
		if err := json.Unmarshal(line, &s); err != nil {
			return fmt.Errorf("the admin API at %s answers something else: %w", d.address, err)
		}
		if s.Progress != nil { // and what is known if the answer breaks off
			report = deadletter.Report{Matched: s.Progress.Matched, Done: s.Progress.Done, Kept: s.Progress.Kept}
			progress(*s.Progress)
		}
		if s.Report != nil {
			report, ended = *s.Report, true
		}
		if s.Error != "" {
			return errors.New(s.Error)
		}
		return nil
	})
	if err == nil && !ended || errors.Is(err, errCutOff) {
		err = errUnknown
	}
	return report, err
}

// ask posts a request, and calls fn for each line of the answer.
func (d *remoteDesk) ask(ctx context.Context, path string, request any, fn func(line []byte) error) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	resp, err := caddycmd.AdminAPIRequest(d.address, http.MethodPost, path, nil, bytes.NewReader(body))
	if err != nil {
		return d.explain(err)
	}
	defer resp.Body.Close()
	defer context.AfterFunc(ctx, func() { _ = resp.Body.Close() })()
	for r := bufio.NewReader(resp.Body); ; {
		line, err := r.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			if err := fn(line); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return errCutOff
		}
	}
}

// explain says what an error of the admin API means here, and what to do.
func (d *remoteDesk) explain(err error) error {
	m := refusal.FindStringSubmatch(err.Error())
	if m == nil {
		return explain(d.address, err)
	}
	var doc struct{ Error string }
	if json.Unmarshal([]byte(m[2]), &doc) != nil || doc.Error == "" {
		return explain(d.address, err)
	}
	reason := printable(doc.Error)
	switch code, _ := strconv.Atoi(m[1]); code {
	case http.StatusNotFound:
		if strings.Contains(reason, deadletter.ErrNoLetter.Error()) {
			return errors.New(reason)
		}
		return fmt.Errorf("%s: %s; --address names another process, and --amqp RabbitMQ", d.address, reason)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return errors.New(reason)
	case http.StatusServiceUnavailable:
		return fmt.Errorf("the dead letters of the process at %s cannot be worked with now: %s; /readyz and its log say more", d.address, reason)
	}
	return explain(d.address, err)
}

// Interface guard
var _ deadletter.Desk = (*remoteDesk)(nil)
