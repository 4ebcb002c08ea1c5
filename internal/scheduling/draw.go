package scheduling

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tikakosh/internal/id"
	"tikakosh/internal/vault"
)

// MaxEntries bounds the entries of one draw.
const MaxEntries = 20_000

// EntryState is the state of an entry of a draw.
type EntryState int

// The states of an entry.
const (
	Waiting  EntryState = 1
	Drawn    EntryState = 2 // its people are booked
	NotDrawn EntryState = 3 // no place was left when its turn came
	Refused  EntryState = 4 // withdrawn, or the vault refused it
)

// Entry is one request for places of a session that is drawn: of one to six
// people, all or none. Hold is the number the appointment will have.
type Entry struct {
	Session id.Session
	Number  int
	Hold    id.Hold
	Dose    int
	Slot    string
	People  []id.Person
	State   EntryState
	Created int64
}

// DrawState is how far a draw has come.
type DrawState int

// The states of a draw. Open: entries are taken.
const (
	DrawOpen   DrawState = 0
	DrawClosed DrawState = 1 // no more entries; their digest is fixed
	DrawSeeded DrawState = 2 // the seed is known, and with it the order
	DrawDone   DrawState = 3 // every entry has been decided
)

// Draw is a draw since its entries were closed. Digest commits to the entries
// and is on the ledger (Receipt, at Place) before Checkpoint was signed, which
// covers it; Seed follows from both. Times are Unix milliseconds.
type Draw struct {
	Session    id.Session
	State      DrawState
	Entries    int
	Digest     string
	Receipt    string
	Place      int64
	Checkpoint string
	Seed       string
	Closed     int64
	Drawn      int64
}

// DrawStore is storage of draws in the centre's bucket.
type DrawStore interface {
	// Enter stores an entry under the next number, or returns the one that waits
	// for the same people. fault.Conflict when entries are closed, fault.Full
	// when there are too many.
	Enter(ctx context.Context, c id.Centre, e Entry) (Entry, error)
	// Entries returns all entries of a session by number.
	Entries(ctx context.Context, c id.Centre, s id.Session) ([]Entry, error)
	// FindDraw returns a draw; State is DrawOpen when it was not closed.
	FindDraw(ctx context.Context, c id.Centre, s id.Session) (Draw, error)
	// PutDraw stores how far a draw has come. It never goes back, and closing it
	// twice changes nothing.
	PutDraw(ctx context.Context, c id.Centre, d Draw) error
	// EndEntry ends a waiting entry; one that has ended stays as it is.
	EndEntry(ctx context.Context, c id.Centre, s id.Session, number int, how EntryState) error
}

// DueDraws reads across all buckets. Only the worker has it.
type DueDraws interface {
	// DueDraws returns sessions whose draw is due at now and not done.
	DueDraws(ctx context.Context, now int64, limit int) ([]Session, error)
}

// DrawVault is what the vault does for draws.
type DrawVault interface {
	Drawn(context.Context, vault.DrawnRequest) (vault.Booked, error)
	CloseDraw(context.Context, vault.CloseDrawRequest) (vault.DrawCommitted, error)
}

// Commitment stands for an entry in public: SHA-256 of its appointment number,
// which only its holder knows.
func Commitment(h id.Hold) string { return drawHash("tikakosh/draw-entry/v1", string(h)) }

// DrawDigest commits to all entries of a session, by number from 1.
func DrawDigest(s id.Session, commitments []string) string {
	return drawHash("tikakosh/draw/v1", append([]string{string(s)}, commitments...)...)
}

// DrawSeed is the seed of a draw: it follows from the entries, which were fixed
// before, and from a checkpoint of the ledger signed after them, whose root
// nobody could know while entries were taken.
func DrawSeed(digest, checkpoint string) string {
	return drawHash("tikakosh/draw-seed/v1", digest, checkpoint)
}

// drawHash is the lower-case hex SHA-256 of lines.
func drawHash(first string, more ...string) string {
	sum := sha256.Sum256([]byte(first + "\n" + strings.Join(more, "\n")))
	return hex.EncodeToString(sum[:])
}

// DrawOrder is the order in which n entries get their turn: by
// HMAC-SHA256(seed text, number in decimal), lowest first.
func DrawOrder(seed string, n int) []int {
	keys := make([][]byte, n+1)
	order := make([]int, n)
	for i := range order {
		order[i] = i + 1
		m := hmac.New(sha256.New, []byte(seed))
		m.Write([]byte(strconv.Itoa(i + 1)))
		keys[i+1] = m.Sum(nil)
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(bytes.Compare(keys[a], keys[b]), a-b) })
	return order
}

// DrawView is what everybody may know of a draw: numbers, no people.
// Commitments are by number from 1; Order and Won are numbers.
type DrawView struct {
	Draw
	At          int64
	Commitments []string
	Order, Won  []int
}

// DrawOf returns the public view of a session's draw. fault.NotFound: no such
// session, or its places go in the order of arrival.
//
// A view is kept for two seconds, so that a crowd that waits for the result
// costs the database no more than one look.
func (s *Service) DrawOf(ctx context.Context, v id.Session) (DrawView, error) {
	s.draws.mu.Lock()
	defer s.draws.mu.Unlock()
	now := s.now()
	if was, ok := s.draws.by[v]; ok && now.Sub(was.at) >= 0 && now.Sub(was.at) < drawFor {
		return was.view, nil
	}
	view, err := s.drawOf(ctx, v)
	if err != nil {
		return DrawView{}, err
	}
	if s.draws.by == nil || len(s.draws.by) >= drawsKept {
		s.draws.by = map[id.Session]drawSeen{}
	}
	s.draws.by[v] = drawSeen{view, now}
	return view, nil
}

// How long a draw's view is kept, and of how many draws.
const (
	drawFor   = 2 * time.Second
	drawsKept = 64
)

type drawSeen struct {
	view DrawView
	at   time.Time
}

// drawsSeen are the views of draws that were asked for lately.
type drawsSeen struct {
	mu sync.Mutex
	by map[id.Session]drawSeen
}

func (s *Service) drawOf(ctx context.Context, v id.Session) (DrawView, error) {
	_, terms, err := s.session(ctx, v)
	if err == nil && terms.DrawAt == 0 {
		err = noDraw()
	}
	if err != nil {
		return DrawView{}, err
	}
	d, err := s.store.FindDraw(ctx, terms.Centre, v)
	if err != nil {
		return DrawView{}, err
	}
	out := DrawView{Draw: d, At: terms.DrawAt}
	out.Session = v
	if d.State == DrawOpen { // who watches entries come in learns their number from nobody
		return out, nil
	}
	entries, err := s.store.Entries(ctx, terms.Centre, v)
	if err != nil {
		return DrawView{}, err
	}
	for _, e := range entries {
		out.Commitments = append(out.Commitments, Commitment(e.Hold))
		if e.State == Drawn {
			out.Won = append(out.Won, e.Number)
		}
	}
	if d.Seed != "" {
		out.Order = DrawOrder(d.Seed, d.Entries)
	}
	return out, nil
}
