package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	agelib "filippo.io/age"

	"tikakosh/internal/backup"
	"tikakosh/internal/fault"
	"tikakosh/internal/id"
	"tikakosh/internal/store/dump"
	"tikakosh/internal/store/sqldb"
	"tikakosh/internal/vault"
	"tikakosh/internal/vault/keeper"
)

// The vault's part of a backup (ADR 25): it holds its writes back while both
// databases' snapshots begin, encrypts its own copy before it leaves the process,
// and signs the manifest once the ledger has the entry.

// Addresses below the vault's socket.
const (
	copyBegin = "/v1/copy/begin"
	copyThaw  = "/v1/copy/thaw"
	copyRows  = "/v1/copy/rows"
	copySign  = "/v1/copy/sign"
)

const (
	freezeMost = 3 * time.Second // how long writes wait at most for the other snapshot
	copyWait   = 2 * time.Minute // until the copy is asked for
	copyMost   = 6 * time.Hour   // until it is signed

	// workerCopies is how many copies an hour the worker may begin: each holds the
	// vault's writes for freezeMost at most, so a captured one holds them for a
	// twentieth of the time.
	workerCopies = 60
)

type copyBegun struct {
	Token  string `json:"token"`
	Ledger int64  `json:"ledger"` // entries in the copy
	Schema int64  `json:"schema"`
	Realm  int    `json:"realm"`
	Origin string `json:"origin"`

	Recipients []string `json:"recipients"`
	Receipt    string   `json:"receipt"` // of the ledger's entry
}

type copyToken struct {
	Token string `json:"token"`
}

// copyRequest begins a copy. Recipients are the operator's word; the worker's copy
// goes to the recipients the vault was started with.
type copyRequest struct {
	Set        string   `json:"set"` // random name of the set
	Recipients []string `json:"recipients"`
}

type copyManifest struct {
	Token string `json:"token"`
	Text  string `json:"text"`
}

type copySigned struct {
	Manifest []byte `json:"manifest"`
}

// copier serves copies of the vault's database, one at a time.
type copier struct {
	life       context.Context //nolint:containedctx // a copy outlives the request that begins it and ends with the role
	db         *sqldb.Freezer
	k          *keeper.Keeper
	realm      int
	origin     string
	recipients []string
	log        *slog.Logger

	mu    sync.Mutex
	now   *vaultCopy
	begun []time.Time // the worker's copies of the last hour
}

// vaultCopy is one copy under way.
type vaultCopy struct {
	begun copyBegun
	thaw  func()
	late  chan struct{} // closed when the writes had to go on
	begin func()        // starts the stream
	end   context.CancelFunc
	rows  *io.PipeReader
	set   string
	sum   hash.Hash
	size  int64
	asked bool
	busy  bool // a piece is on its way
	whole bool
	watch *time.Timer // ends a copy that nobody asks for any more
}

func (c *copier) handler(caller keeper.Caller, next http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", next)
	if caller != keeper.CallerOperator && caller != keeper.CallerWorker {
		return mux
	}
	mux.HandleFunc("POST "+copyBegin, answer(c.log, func(ctx context.Context, r copyRequest) (copyBegun, error) { return c.start(ctx, caller, r) }))
	mux.HandleFunc("POST "+copyThaw, answer(c.log, func(_ context.Context, r copyToken) (vault.Empty, error) { return vault.Empty{}, c.release(r.Token) }))
	mux.HandleFunc("POST "+copySign, answer(c.log, c.sign))
	mux.HandleFunc("POST "+copyRows, c.stream)
	return mux
}

// answer is a JSON method of the vault's socket.
func answer[Req, Resp any](log *slog.Logger, fn func(context.Context, Req) (Resp, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var req Req
		dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 256<<10))
		dec.DisallowUnknownFields()
		err := dec.Decode(&req)
		if err != nil {
			err = fault.New(fault.Invalid, "request", "the vault request is malformed")
		}
		var resp Resp
		if err == nil {
			resp, err = fn(r.Context(), req)
		}
		if err != nil {
			refuse(w, log, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(resp)
	}
}

func refuse(w http.ResponseWriter, log *slog.Logger, err error) {
	f := vault.Failure{Kind: fault.KindOf(err), Code: fault.CodeOf(err), Text: message(err), RetryAfterMS: fault.RetryAfter(err).Milliseconds()}
	log.Warn("copy refused", "kind", f.Kind, "code", f.Code)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnprocessableEntity)
	_ = json.NewEncoder(w).Encode(f)
}

// start freezes the vault's writes, fixes the snapshot, and leaves both standing
// for the caller's thaw.
func (c *copier) start(ctx context.Context, caller keeper.Caller, r copyRequest) (copyBegun, error) {
	texts := c.recipients
	if caller == keeper.CallerOperator && len(r.Recipients) > 0 {
		texts = r.Recipients
	}
	to, err := backup.Recipients(texts)
	if err != nil {
		return copyBegun{}, err
	}
	if caller == keeper.CallerWorker && !c.mayBegin(time.Now()) {
		return copyBegun{}, &fault.Error{Kind: fault.RateLimited, Code: "copies", Text: "the worker has begun 60 backups within an hour; make one by `tikakosh backup`, or wait", RetryAfter: time.Minute}
	}
	receipt, err := c.k.NoteCopy(ctx, r.Set, digestOf([]byte(strings.Join(texts, "\n"))), string(caller))
	if err != nil {
		return copyBegun{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil && c.now.asked && !c.now.whole {
		return copyBegun{}, fault.New(fault.Conflict, "busy", "another backup is being made")
	}
	c.drop()
	life, end := context.WithTimeout(c.life, copyMost)
	v := &vaultCopy{late: make(chan struct{}), end: end, set: r.Set, sum: sha256.New()}
	started := make(chan struct{})
	v.begin = sync.OnceFunc(func() { close(started) })
	unlock := c.db.Freeze()
	timer := time.AfterFunc(freezeMost, func() { close(v.late); unlock() })
	v.thaw = func() { timer.Stop(); unlock() }
	fixed := make(chan error, 1)
	rows, w := io.Pipe()
	v.rows = rows
	go func() { _ = w.CloseWithError(c.copy(life, v, to, fixed, started, w)) }()
	if err := <-fixed; err != nil {
		v.thaw()
		end()
		return copyBegun{}, err
	}
	v.begun.Token, v.begun.Realm, v.begun.Origin, v.begun.Recipients = id.Secret(16), c.realm, c.origin, texts
	v.begun.Receipt = receipt
	c.now = v
	v.watch = time.AfterFunc(copyWait, func() { c.abandon(v) })
	return v.begun, nil
}

// mayBegin counts a copy of the worker's, unless there were too many.
func (c *copier) mayBegin(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun = slices.DeleteFunc(c.begun, func(t time.Time) bool { return now.Sub(t) > time.Hour })
	if len(c.begun) >= workerCopies {
		return false
	}
	c.begun = append(c.begun, now)
	return true
}

// copy is the read transaction of a copy, from its snapshot to its last row.
func (c *copier) copy(ctx context.Context, v *vaultCopy, to []agelib.Recipient, fixed chan<- error, started <-chan struct{}, w io.Writer) error {
	once := false
	err := c.db.View(ctx, func(tx sqldb.Tx) (err error) {
		if once {
			return fault.New(fault.Unavailable, "copy", "the copy broke off")
		}
		once = true
		if v.begun.Schema, err = sqldb.SchemaVersion(ctx, tx); err != nil {
			return err
		}
		if v.begun.Ledger, err = dump.LedgerSize(ctx, tx, c.realm); err != nil {
			return err
		}
		fixed <- nil
		select {
		case <-started:
		case <-time.After(copyWait):
			return fault.New(fault.Unavailable, "copy", "the copy was not asked for in time")
		case <-ctx.Done():
			return ctx.Err()
		}
		e, err := backup.Encrypt(w, to)
		if err != nil {
			return err
		}
		if err := dump.Write(ctx, tx, dump.Head{Database: "vault", Version: v.begun.Schema}, dump.VaultTables(), e); err != nil {
			return err
		}
		return e.Close()
	})
	if err != nil {
		select {
		case fixed <- err: // nobody was told yet
		default:
		}
	}
	return err
}

// abandon ends a copy whose caller has gone.
func (c *copier) abandon(v *vaultCopy) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == v && !v.whole {
		c.log.Warn("a backup was not fetched to its end")
		c.drop()
	}
}

// drop forgets the copy under way. mu is held.
func (c *copier) drop() {
	if c.now != nil {
		c.now.thaw()
		c.now.end()
		_ = c.now.rows.Close()
		c.now = nil
	}
}

func (c *copier) find(token string) (*vaultCopy, error) {
	if c.now == nil || token == "" || c.now.begun.Token != token {
		return nil, fault.New(fault.NotFound, "copy", "no such backup is being made")
	}
	return c.now, nil
}

// release lets the writes go on. It says whether they had waited until now:
// otherwise the two snapshots are not of one moment.
func (c *copier) release(token string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, err := c.find(token)
	if err != nil {
		return err
	}
	v.thaw()
	select {
	case <-v.late:
		c.drop()
		return &fault.Error{Kind: fault.Unavailable, Code: "late", Text: "the registry's snapshot took too long; the backup is begun again", RetryAfter: time.Second}
	default:
		return nil
	}
}

// copyPiece is how much of the copy one answer holds: the roles' sockets carry
// messages, not streams.
const copyPiece = 2 << 20

// stream sends the next piece of the encrypted copy; an empty one is the end. What
// breaks off is an error, so that half a copy is never taken for a whole one.
func (c *copier) stream(w http.ResponseWriter, r *http.Request) {
	var t copyToken
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&t); err != nil {
		refuse(w, c.log, fault.New(fault.Invalid, "request", "the vault request is malformed"))
		return
	}
	piece, err := c.piece(t.Token)
	if err != nil {
		refuse(w, c.log, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(piece)
}

func (c *copier) piece(token string) ([]byte, error) {
	c.mu.Lock()
	v, err := c.find(token)
	if err == nil && (v.whole || v.busy) {
		err = fault.New(fault.Conflict, "copy", "the copy was sent already")
	}
	if err != nil {
		c.mu.Unlock()
		return nil, err
	}
	v.asked, v.busy = true, true
	v.watch.Reset(copyWait)
	c.mu.Unlock()
	v.begin()
	piece := make([]byte, copyPiece)
	n, err := io.ReadFull(v.rows, piece)
	c.mu.Lock()
	defer c.mu.Unlock()
	v.busy = false
	switch {
	case errors.Is(err, io.EOF):
		v.whole = true
		v.watch.Stop()
		return nil, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		c.log.Warn("a backup broke off", "kind", fault.KindOf(err))
		if c.now == v {
			c.drop()
		}
		return nil, fault.Wrap(fault.Unavailable, err, "the vault's copy broke off")
	}
	v.sum.Write(piece[:n])
	v.size += int64(n)
	return piece[:n], nil
}

// sign checks that a manifest names the copy that was sent, and signs it.
func (c *copier) sign(_ context.Context, r copyManifest) (copySigned, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, err := c.find(r.Token)
	if err != nil {
		return copySigned{}, err
	}
	m, err := backup.ParseManifest(r.Text)
	if err != nil {
		return copySigned{}, fault.New(fault.Invalid, "manifest", "the manifest is malformed")
	}
	part, err := m.Part("vault")
	if err != nil || !v.whole || m.Set != v.set || part.SHA256 != hex.EncodeToString(v.sum.Sum(nil)) || part.Size != v.size || part.Schema != v.begun.Schema ||
		m.LedgerSize != v.begun.Ledger || m.Realm != c.realm || m.Origin != c.origin {
		return copySigned{}, fault.New(fault.Forbidden, "manifest", "the manifest is not of the copy that was made")
	}
	signer, _, err := c.k.CheckpointSigner()
	if err != nil {
		return copySigned{}, err
	}
	raw, err := backup.Sign(m, signer)
	if err != nil {
		return copySigned{}, err
	}
	c.drop()
	return copySigned{Manifest: raw}, nil
}
