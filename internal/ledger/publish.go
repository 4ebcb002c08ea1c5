package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/transparency-dev/tessera/api/layout"
	"golang.org/x/mod/sumdb/note"

	"tikakosh/internal/fault"
)

// Publish signs and publishes a checkpoint of everything in the files; nothing
// happens when the newest checkpoint already covers it. What is signed is the
// root of the database's leaves, and only when the tiles on disk have the same
// root: fault.Integrity otherwise, which stops the log for good.
// fault.Unavailable when it cannot be signed or written.
func (l *Log) Publish(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	return l.publish(ctx)
}

// publish must be called with mu held.
func (l *Log) publish(ctx context.Context) error {
	size := l.tree.End()
	if size == l.published.Size {
		return nil
	}
	root, err := rootOf(l.tree)
	if err != nil {
		return err
	}
	tiles, err := files(l.opt.Dir).rangeAt(ctx, size)
	if err != nil {
		return err
	}
	if onDisk, err := rootOf(tiles); err != nil || onDisk != root {
		return l.fail("root", "the ledger's tiles do not have the root of the %d entries of the database; no checkpoint was signed", size)
	}
	if err := l.unreplaced(); err != nil {
		return err
	}
	c := Checkpoint{Origin: l.opt.Signer.Name(), Size: size, Root: root}
	signer, vkey, chain, err := l.keys()
	if err != nil {
		return err
	}
	raw, err := signCheckpoint(c, signer)
	if err != nil {
		return err
	}
	// Readers learn of a new key before they meet its first signature.
	if err := l.writeKeys(chain); err != nil {
		return fault.Wrap(fault.Unavailable, err, "publishing the ledger's keys")
	}
	if err := l.writeFile("checkpoint.new", layout.CheckpointPath, raw); err != nil {
		return fault.Wrap(fault.Unavailable, err, "publishing the checkpoint")
	}
	if vkey != "" && l.vkey != vkey {
		if err := l.writeFile("vkey.new", VKeyFile, []byte(vkey+"\n")); err != nil {
			return fault.Wrap(fault.Unavailable, err, "publishing the ledger's key")
		}
		l.vkey = vkey
	}
	l.published = c
	return nil
}

// unreplaced refuses when the checkpoint on disk is not the one this log knows:
// another writer has published one, and a second history would begin.
func (l *Log) unreplaced() error {
	raw, err := files(l.opt.Dir).checkpoint()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	on, err := l.own(raw)
	if err != nil {
		return l.fail("checkpoint", "the published checkpoint was changed: %v", err)
	}
	if on.Size != l.published.Size || (on.Size > 0 && on.Root != l.published.Root) {
		return l.fail("checkpoint", "another checkpoint was published: %d entries with root %s, not %d with root %s", on.Size, on.Root, l.published.Size, l.published.Root)
	}
	return nil
}

// keys are the signer in force, its verifier key ("" when it never changes), and
// the changes that led to it.
func (l *Log) keys() (signer note.Signer, vkey string, chain []byte, err error) {
	if l.opt.Keys == nil {
		return l.opt.Signer, "", nil, nil
	}
	k := l.opt.Keys()
	signer, vkey, err = NoteKeys(l.opt.Signer.Name(), k.Key)
	return signer, vkey, k.Chain, err
}

// own reads a checkpoint that this log signed, with the key in force or an
// earlier one.
func (l *Log) own(raw []byte) (Checkpoint, error) {
	signer, vkey, chain, err := l.keys()
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := ownCheckpoint(raw, signer)
	if err == nil || len(chain) == 0 {
		return c, err
	}
	changes, failed := ParseKeychain(chain)
	if failed != nil {
		return c, failed
	}
	trusted, failed := Trusted(vkey, changes)
	if failed != nil {
		return c, failed
	}
	if before, failed := OpenTrusted(raw, trusted); failed == nil {
		return before, nil
	}
	return c, err
}

// writeKeys publishes the changes of the key when there is a new one.
func (l *Log) writeKeys(chain []byte) error {
	if len(chain) <= len(Keychain(nil)) || l.chain == string(chain) {
		return nil
	}
	if err := l.writeFile("keychain.new", KeychainFile, chain); err != nil {
		return err
	}
	l.chain = string(chain)
	return nil
}

// writeFile replaces a published file atomically and durably.
func (l *Log) writeFile(temporary, name string, raw []byte) error {
	temp := filepath.Join(l.opt.Dir, stateDir, temporary)
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(l.opt.Dir, name)); err != nil {
		return err
	}
	d, err := os.Open(l.opt.Dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Rebuild makes the files anew from src in o.Dir, which must be empty or absent,
// and publishes a checkpoint. The same leaves give the same root. It returns the
// checkpoint's content; VerifyAgainst shows that it continues an older one.
// fault.Conflict when the folder is not empty; otherwise as Open and Integrate.
func Rebuild(ctx context.Context, o Options, src Source) (Checkpoint, error) {
	if entries, err := os.ReadDir(o.Dir); err == nil && len(entries) > 0 {
		return Checkpoint{}, fault.New(fault.Conflict, "not-empty", "the ledger is rebuilt into an empty folder only")
	}
	l, err := Open(ctx, o, src)
	if err != nil {
		return Checkpoint{}, err
	}
	err = l.Integrate(ctx, src)
	if err == nil {
		err = l.Publish(ctx)
	}
	if err = errors.Join(err, l.Close(ctx)); err != nil {
		return Checkpoint{}, fault.Wrap(fault.Unavailable, err, "rebuilding the ledger's files")
	}
	return l.published, nil
}
