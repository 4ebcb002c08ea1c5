package ledger

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/transparency-dev/tessera/api/layout"

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
	raw, err := signCheckpoint(c, l.opt.Signer)
	if err != nil {
		return err
	}
	if err := l.writeCheckpoint(raw); err != nil {
		return fault.Wrap(fault.Unavailable, err, "publishing the checkpoint")
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
	on, err := ownCheckpoint(raw, l.opt.Signer)
	if err != nil {
		return l.fail("checkpoint", "the published checkpoint was changed: %v", err)
	}
	if on.Size != l.published.Size || (on.Size > 0 && on.Root != l.published.Root) {
		return l.fail("checkpoint", "another checkpoint was published: %d entries with root %s, not %d with root %s", on.Size, on.Root, l.published.Size, l.published.Root)
	}
	return nil
}

// writeCheckpoint replaces the checkpoint atomically and durably.
func (l *Log) writeCheckpoint(raw []byte) error {
	temp := filepath.Join(l.opt.Dir, stateDir, "checkpoint.new")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(l.opt.Dir, layout.CheckpointPath)); err != nil {
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
