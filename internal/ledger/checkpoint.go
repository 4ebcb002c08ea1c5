package ledger

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"tikakosh/internal/fault"
)

// Checkpoint is what a log's signed note commits to (C2SP tlog-checkpoint).
type Checkpoint struct {
	Origin    string
	Size      uint64
	Root      tlog.Hash
	Witnesses []Cosignature // verified ones only
	Unknown   int           // further signatures that nobody was given a key for
}

// Cosignature is a witness's verified signature and the time it gives, zero when
// the signature has none.
type Cosignature struct {
	Name string
	Time time.Time
}

// OpenCheckpoint verifies raw: the log's own signature by owner, and
// cosignatures of at least quorum of the witnesses, where two keys under one
// name count once and the owner never counts. A cosignature over another text,
// for instance an older checkpoint, is a wrong signature. All failures are
// fault.Integrity; code "quorum" when only cosignatures are wanting.
func OpenCheckpoint(raw []byte, owner note.Verifier, witnesses []note.Verifier, quorum int) (Checkpoint, error) {
	var c Checkpoint
	cp, _, n, err := log.ParseCheckpoint(raw, owner.Name(), owner, witnesses...)
	if err != nil {
		return c, fault.New(fault.Integrity, "checkpoint", "the checkpoint is not signed by this ledger, or a cosignature is wrong: "+err.Error())
	}
	if len(cp.Hash) != tlog.HashSize {
		return c, fault.New(fault.Integrity, "checkpoint", "the checkpoint has no SHA-256 root")
	}
	c = Checkpoint{Origin: cp.Origin, Size: cp.Size, Root: tlog.Hash(cp.Hash), Unknown: len(n.UnverifiedSigs)}
	for _, s := range n.Sigs {
		own := s.Name == owner.Name() // the log under another key is no outside witness either
		if own || slices.ContainsFunc(c.Witnesses, func(w Cosignature) bool { return w.Name == s.Name }) {
			continue
		}
		w := Cosignature{Name: s.Name}
		if t, err := fnote.CoSigV1Timestamp(s); err == nil {
			w.Time = t.UTC()
		}
		c.Witnesses = append(c.Witnesses, w)
	}
	if len(c.Witnesses) < quorum {
		return c, fault.Newf(fault.Integrity, "quorum", "%d of %d wanted witnesses have cosigned", len(c.Witnesses), quorum)
	}
	return c, nil
}

// CosignedCheckpoint adds witnesses' signature lines ("— name base64", each with
// or without its line end) to a checkpoint. A newer line of a key that has
// already cosigned replaces the older; the log's own signature, which stands
// first, cannot be replaced. Signatures are not verified: OpenCheckpoint does.
// fault.Invalid for a malformed checkpoint or line.
func CosignedCheckpoint(checkpoint []byte, lines ...[]byte) ([]byte, error) {
	n, err := unverified(checkpoint)
	if err != nil {
		return nil, err
	}
	sigs := n.UnverifiedSigs
	for _, line := range lines {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if bytes.ContainsRune(line, '\n') {
			return nil, fault.New(fault.Invalid, "cosignature", "a cosignature is one line")
		}
		one, err := unverified(slices.Concat([]byte(n.Text), []byte("\n"), line, []byte("\n")))
		if err != nil || len(one.UnverifiedSigs) != 1 {
			return nil, fault.New(fault.Invalid, "cosignature", "a cosignature is malformed")
		}
		s := one.UnverifiedSigs[0]
		i := slices.IndexFunc(sigs, func(o note.Signature) bool { return o.Name == s.Name && o.Hash == s.Hash })
		switch {
		case i > 0:
			sigs[i] = s
		case i < 0:
			sigs = append(sigs, s)
		default:
			return nil, fault.New(fault.Invalid, "cosignature", "the ledger's own key is no witness")
		}
	}
	out, err := note.Sign(&note.Note{Text: n.Text, UnverifiedSigs: sigs})
	return out, fault.Wrap(fault.Invalid, err, "cosigned checkpoint")
}

// unverified parses a signed note without looking at its signatures.
func unverified(raw []byte) (*note.Note, error) {
	_, err := note.Open(raw, note.VerifierList())
	var u *note.UnverifiedNoteError
	if !errors.As(err, &u) || len(u.Note.UnverifiedSigs) == 0 {
		return nil, fault.New(fault.Invalid, "checkpoint", "the checkpoint is malformed")
	}
	return u.Note, nil
}

// bodyOf parses the text of a checkpoint.
func bodyOf(text string) (Checkpoint, error) {
	var cp log.Checkpoint
	if _, err := cp.Unmarshal([]byte(text)); err != nil || len(cp.Hash) != tlog.HashSize {
		return Checkpoint{}, fault.New(fault.Integrity, "checkpoint", "the checkpoint is malformed")
	}
	return Checkpoint{Origin: cp.Origin, Size: cp.Size, Root: tlog.Hash(cp.Hash)}, nil
}

// signCheckpoint makes the signed note.
func signCheckpoint(c Checkpoint, signer note.Signer) ([]byte, error) {
	text := log.Checkpoint{Origin: c.Origin, Size: c.Size, Hash: c.Root[:]}.Marshal()
	raw, err := note.Sign(&note.Note{Text: string(text)}, signer)
	return raw, fault.Wrap(fault.Unavailable, err, "signing the checkpoint")
}

// ownCheckpoint reads a checkpoint that signer must have signed. A Signer cannot
// verify, but Ed25519 signatures are deterministic (RFC 8032 5.1.6), so the same
// text signed again must give the same signature.
func ownCheckpoint(raw []byte, signer note.Signer) (Checkpoint, error) {
	n, err := unverified(raw)
	if err != nil {
		return Checkpoint{}, fault.New(fault.Integrity, "checkpoint", "the checkpoint in the files is malformed")
	}
	c, err := bodyOf(n.Text)
	if err != nil {
		return c, err
	}
	if c.Origin != signer.Name() {
		return c, fault.Newf(fault.Integrity, "checkpoint", "the files are of the ledger %q, this start is for %q: start with --origin %s, as before", c.Origin, signer.Name(), c.Origin)
	}
	again, err := signCheckpoint(c, signer)
	if err != nil {
		return c, err
	}
	own, err := unverified(again)
	if err != nil || own.Text != n.Text || !slices.Contains(n.UnverifiedSigs, own.UnverifiedSigs[0]) {
		return c, fault.Newf(fault.Integrity, "checkpoint", "the checkpoint in the files was not signed by this ledger's key under the origin %q", signer.Name())
	}
	return c, nil
}
