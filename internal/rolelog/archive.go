package rolelog

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tikakosh/internal/fault"
)

// Manifest says what an export holds. Key is the vault's receipt key: whoever
// verifies must have it from elsewhere too.
type Manifest struct {
	From  int64    `json:"from"` // UTC milliseconds
	To    int64    `json:"to"`
	Made  int64    `json:"made"`
	Key   []byte   `json:"key"`
	Files []string `json:"files"`
}

// ManifestSigner signs the digest of a manifest; the proof also names the newest
// statement.
type ManifestSigner func(ctx context.Context, digest []byte) (json.RawMessage, error)

const (
	manifestName = "manifest.json"
	proofName    = "manifest.proof.json"
	archiveMax   = 64 << 30 // bytes an archive may unpack to
)

// Export writes one compressed archive of every file of dir with lines written
// from..to, and the statements that show that it is complete and unchanged. The
// caller has sealed dir just before. It returns the files' names.
func Export(ctx context.Context, dir string, out io.Writer, m Manifest, sign ManifestSigner) ([]string, error) {
	all, _, err := statements(dir)
	if err != nil {
		return nil, err
	}
	from, to := time.UnixMilli(m.From), time.UnixMilli(m.To)
	begin, _ := window(all, from, to)
	for name := range expected(all, from, to) {
		m.Files = append(m.Files, name)
	}
	slices.Sort(m.Files)
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "manifest")
	}
	digest := sha256.Sum256(text)
	proof, err := sign(ctx, digest[:])
	if err != nil {
		return nil, err
	}
	zip := gzip.NewWriter(out)
	w := tar.NewWriter(zip)
	add := func(name string, size int64, from io.Reader) error {
		h := &tar.Header{Name: name, Mode: 0o640, Size: size, ModTime: time.UnixMilli(m.Made), Format: tar.FormatPAX}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := io.CopyN(w, from, size) // a file may grow meanwhile
		return err
	}
	for name, raw := range map[string][]byte{manifestName: text, proofName: proof} {
		if err := add(name, int64(len(raw)), strings.NewReader(string(raw))); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "archive")
		}
	}
	names := slices.Clone(m.Files)
	for _, st := range all[min(begin, len(all)):] {
		names = append(names, sealDir+"/"+sealName(st.Number))
	}
	for _, name := range names {
		if err := addFile(filepath.Join(dir, name), name, add); err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "archive")
		}
	}
	return m.Files, fault.Wrap(fault.Unavailable, errors.Join(w.Close(), zip.Close()), "archive")
}

func addFile(path, name string, add func(string, int64, io.Reader) error) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it is missed when the archive is verified, and named there
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return add(name, info.Size(), f)
}

// ManifestProof checks the proof of a manifest's digest and says which statement
// was the newest.
type ManifestProof func(digest []byte, proof json.RawMessage) (Newest, error)

// VerifyExport checks an export. Only what Export writes is read; everything
// goes to the folder scratch first, which is the caller's to delete.
func VerifyExport(ctx context.Context, archive io.Reader, scratch string, whole ManifestProof, check Proof) (Manifest, Report, error) {
	var m Manifest
	var r Report
	if err := unpack(archive, scratch); err != nil {
		return m, r, err
	}
	dir := os.DirFS(scratch)
	text, err1 := fs.ReadFile(dir, manifestName)
	proof, err2 := fs.ReadFile(dir, proofName)
	if err := errors.Join(err1, err2); err != nil || json.Unmarshal(text, &m) != nil {
		return m, r, fault.New(fault.Invalid, "logs", "this is no export of logs: it has no manifest")
	}
	digest := sha256.Sum256(text)
	newest, err := whole(digest[:], proof)
	if err != nil {
		r.problem("the manifest: the vault's signature does not hold")
	}
	all, err := verifyStatements(dir, &r, check, newest)
	if err != nil {
		return m, r, err
	}
	from, to := time.UnixMilli(m.From), time.UnixMilli(m.To)
	if len(all) > 0 && all[0].Number != 1 && all[0].At > m.From {
		r.problem("the export begins at statement %d of %s, later than asked: what was before is deleted or missing", all[0].Number, time.UnixMilli(all[0].At).UTC().Format(time.RFC3339))
	}
	return m, r, verifyFiles(ctx, dir, &r, all, from, to)
}

// unpack writes the files of an archive below dir: plain files of our names only.
func unpack(archive io.Reader, dir string) error {
	bad := fault.New(fault.Invalid, "logs", "this is no export of logs")
	zip, err := gzip.NewReader(archive)
	if err != nil {
		return bad
	}
	left := int64(archiveMax)
	for t := tar.NewReader(zip); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil || h.Typeflag != tar.TypeReg || !archived(h.Name) || h.Size < 0 || h.Size > left {
			return bad
		}
		left -= h.Size
		path := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fault.Wrap(fault.Unavailable, err, "unpacking")
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fault.Wrap(fault.Invalid, err, "unpacking")
		}
		_, err = io.CopyN(f, t, h.Size)
		if err = errors.Join(err, f.Close()); err != nil {
			return fault.Wrap(fault.Invalid, err, "unpacking")
		}
	}
}

// archived reports whether an export may hold a file of this name.
func archived(name string) bool {
	if name == manifestName || name == proofName {
		return true
	}
	role, file, ok := strings.Cut(name, "/")
	if !ok {
		return false
	}
	if role == sealDir {
		number, isSeal := strings.CutSuffix(file, ".json")
		return isSeal && len(number) == 12 && strings.Trim(number, "0123456789") == ""
	}
	return nameOK.MatchString(role) && filePattern.MatchString(file)
}
