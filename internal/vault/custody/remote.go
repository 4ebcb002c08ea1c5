package custody

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"tikakosh/internal/fault"
)

// remoteTimeout bounds one call to a custody process: an HSM answers in
// milliseconds, and requests wait behind it.
const remoteTimeout = 4 * time.Second

// maxCall bounds a request or answer between vault and custody process, in bytes.
const maxCall = 64 << 10

// call is one request to a custody process; back is its answer.
type call struct {
	Do      string
	Name    string `json:",omitempty"`
	Version int    `json:",omitempty"`
	Data    []byte `json:",omitempty"`
}

type back struct {
	Data []byte     `json:",omitempty"`
	Kind fault.Kind `json:",omitempty"`
	Code string     `json:",omitempty"`
	Text string     `json:",omitempty"`
}

// What a custody process can be asked.
const (
	doWrap    = "wrap"
	doUnwrap  = "unwrap"
	doTag     = "tag"
	doMake    = "make-tag-key"
	doDestroy = "destroy-tag-key"
	doOpen    = "open"
)

// Remote is custody in another process on this machine, behind a socket that
// only the vault holds.
type Remote struct{ http *http.Client }

// NewRemote asks over c, whose connections lead to a process that serves
// Handler. With create the process makes the keys that do not exist: only for a
// database that is fresh. Without, a missing wrapping key is fault.Integrity.
func NewRemote(c *http.Client, create bool) (*Remote, error) {
	r := &Remote{c}
	open := call{Do: doOpen}
	if create {
		open.Version = 1
	}
	_, err := r.ask(open)
	return r, err
}

func (r *Remote) ask(q call) ([]byte, error) {
	gone := fault.New(fault.Unavailable, "key-custody", "key custody does not answer; it is tried again with every request")
	raw, err := json.Marshal(q)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "custody call")
	}
	ctx, cancel := context.WithTimeout(context.Background(), remoteTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://custody/", bytes.NewReader(raw))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "custody call")
	}
	res, err := r.http.Do(req)
	if err != nil {
		return nil, gone
	}
	defer res.Body.Close()
	var b back
	body, err := io.ReadAll(io.LimitReader(res.Body, maxCall))
	if err != nil || json.Unmarshal(body, &b) != nil {
		return nil, gone
	}
	if b.Kind != "" {
		return nil, fault.New(b.Kind, b.Code, b.Text)
	}
	return b.Data, nil
}

// Wrap implements Provider.
func (r *Remote) Wrap(name string, key []byte) ([]byte, error) {
	return r.ask(call{Do: doWrap, Name: name, Data: key})
}

// Unwrap implements Provider.
func (r *Remote) Unwrap(name string, blob []byte) ([]byte, error) {
	return r.ask(call{Do: doUnwrap, Name: name, Data: blob})
}

// Tag implements Provider.
func (r *Remote) Tag(version int, data []byte) ([]byte, error) {
	return r.ask(call{Do: doTag, Version: version, Data: data})
}

// MakeTagKey implements Provider.
func (r *Remote) MakeTagKey(version int) error {
	_, err := r.ask(call{Do: doMake, Version: version})
	return err
}

// DestroyTagKey implements Provider.
func (r *Remote) DestroyTagKey(version int) error {
	_, err := r.ask(call{Do: doDestroy, Version: version})
	return err
}

// Handler serves a provider to a Remote. open is called for NewRemote; after is
// told every error.
func Handler(p Provider, open func(create bool) error, after func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q call
		var b back
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxCall))
		dec.DisallowUnknownFields()
		err := dec.Decode(&q)
		if err != nil {
			err = fault.New(fault.Invalid, "custody", "malformed call")
		} else {
			b.Data, err = answer(p, open, q)
		}
		if err != nil {
			f := fault.New(fault.KindOf(err), fault.CodeOf(err), err.Error())
			b = back{Kind: f.Kind, Code: f.Code, Text: f.Text}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(b)
		if err != nil {
			after(err)
		}
	})
}

func answer(p Provider, open func(create bool) error, q call) ([]byte, error) {
	switch q.Do {
	case doOpen:
		return nil, open(q.Version == 1)
	case doWrap:
		return p.Wrap(q.Name, q.Data)
	case doUnwrap:
		return p.Unwrap(q.Name, q.Data)
	case doTag:
		return p.Tag(q.Version, q.Data)
	case doMake:
		return nil, p.MakeTagKey(q.Version)
	case doDestroy:
		return nil, p.DestroyTagKey(q.Version)
	}
	return nil, fault.New(fault.Invalid, "custody", "custody knows no such call")
}
