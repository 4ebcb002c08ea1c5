//go:build cgo

package main

import (
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault/custody"
)

// sessions is how many calls the token works on side by side.
const sessions = 4

// The sizes of AES-GCM (NIST SP 800-38D).
const (
	ivBytes = 12
	tagBits = 128
)

// errBroken is in the chain of an error after which the library is of no use.
var errBroken = errors.New("the token's library is to be started again")

// token is custody in a PKCS #11 token: an AES-256 key that wraps and generic
// secrets that tag, all made in the token, sensitive and not extractable. It is
// safe for concurrent use.
type token struct {
	lib    *pkcs11.Ctx
	prefix string
	free   chan pkcs11.SessionHandle
}

// openToken loads the library, finds the token and logs in. fault.Forbidden for
// a wrong PIN, fault.Unavailable while the token cannot be reached.
func openToken(where custody.PKCS11, pin string) (*token, error) {
	lib := pkcs11.New(where.Module)
	if lib == nil {
		return nil, fault.Newf(fault.Invalid, "keys", "the PKCS #11 library %s cannot be loaded", where.Module)
	}
	if err := lib.Initialize(); err != nil {
		return nil, fault.Wrap(fault.Unavailable, err, "the PKCS #11 library does not start")
	}
	t := &token{lib: lib, prefix: where.Object, free: make(chan pkcs11.SessionHandle, sessions)}
	slot, err := t.slot(where)
	if err != nil {
		return nil, err
	}
	for range sessions {
		s, err := lib.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return nil, fault.Wrap(fault.Unavailable, err, "the token gives no session")
		}
		t.free <- s
	}
	s := <-t.free
	defer func() { t.free <- s }()
	switch err := lib.Login(s, pkcs11.CKU_USER, pin); {
	case is(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_EXPIRED, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_USER_PIN_NOT_INITIALIZED):
		return nil, fault.Newf(fault.Forbidden, "pin", "the token refuses the PIN (%v); it is not tried again", err)
	case err != nil && !is(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN):
		return nil, fault.Wrap(fault.Unavailable, err, "logging in to the token")
	}
	return t, nil
}

func is(err error, codes ...uint) bool {
	var e pkcs11.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range codes {
		if uint(e) == c {
			return true
		}
	}
	return false
}

func (t *token) slot(where custody.PKCS11) (uint, error) {
	slots, err := t.lib.GetSlotList(true)
	if err != nil {
		return 0, fault.Wrap(fault.Unavailable, err, "the token's slots")
	}
	var found []uint
	for _, s := range slots {
		info, err := t.lib.GetTokenInfo(s)
		if err != nil {
			continue
		}
		if (where.Token == "" || info.Label == where.Token) && (where.Serial == "" || info.SerialNumber == where.Serial) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, fault.Newf(fault.Unavailable, "key-custody", "token %q %s is not there: it is removed, not initialised, or closed to this program's user", where.Token, where.Serial)
	}
	return 0, fault.Newf(fault.Invalid, "keys", "%d tokens are called %q: give serial=NUMBER", len(found), where.Token)
}

func (t *token) close() {
	_ = t.lib.Finalize()
	t.lib.Destroy()
}

// use runs fn with a session of its own.
func (t *token) use(fn func(s pkcs11.SessionHandle) error) error {
	s := <-t.free
	defer func() { t.free <- s }()
	return fn(s)
}

// failed gives an error of the token its kind.
func failed(err error, what string) error {
	var own *fault.Error
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case is(err, pkcs11.CKR_ENCRYPTED_DATA_INVALID, pkcs11.CKR_ENCRYPTED_DATA_LEN_RANGE, pkcs11.CKR_SIGNATURE_INVALID):
		return custody.NotOpened()
	}
	return &fault.Error{Kind: fault.Unavailable, Code: "key-custody", Text: what + ": the token failed", Err: fmt.Errorf("%w: %w", errBroken, err)}
}

func (t *token) rootLabel() string           { return t.prefix + "-root-1" }
func (t *token) tagLabel(version int) string { return fmt.Sprintf("%s-idtag-%d", t.prefix, version) }

// find returns the secret key with a label; ok is false when there is none. Two
// are fault.Integrity: neither is the right one for certain.
func (t *token) find(s pkcs11.SessionHandle, label string) (key pkcs11.ObjectHandle, ok bool, err error) {
	if err := t.lib.FindObjectsInit(s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)}); err != nil {
		return 0, false, err
	}
	keys, _, err := t.lib.FindObjects(s, 2)
	if err = errors.Join(err, t.lib.FindObjectsFinal(s)); err != nil || len(keys) == 0 {
		return 0, false, err
	}
	if len(keys) > 1 {
		return 0, false, fault.Newf(fault.Integrity, "key", "the token has two keys called %s", label)
	}
	return keys[0], true, t.closed(s, keys[0], label)
}

// closed refuses a key that the token would give away: somebody put it there.
func (t *token) closed(s pkcs11.SessionHandle, key pkcs11.ObjectHandle, label string) error {
	got, err := t.lib.GetAttributeValue(s, key, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, nil),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, nil), pkcs11.NewAttribute(pkcs11.CKA_NEVER_EXTRACTABLE, nil)})
	if err != nil {
		return err
	}
	want := []byte{1, 0, 1}
	for i, a := range got {
		if len(a.Value) != 1 || a.Value[0] != want[i] {
			return fault.Newf(fault.Integrity, "key", "the key %s was not made in the token, or can be taken out of it", label)
		}
	}
	return nil
}

func (t *token) need(s pkcs11.SessionHandle, label string) (pkcs11.ObjectHandle, error) {
	key, ok, err := t.find(s, label)
	if err == nil && !ok {
		err = custody.Missing("key " + label + " of the token")
	}
	return key, err
}

// make makes a key that is not there.
func (t *token) make(label string, mechanism, kind uint, may ...uint) error {
	return failed(t.use(func(s pkcs11.SessionHandle) error {
		if _, ok, err := t.find(s, label); err != nil || ok {
			return err
		}
		attrs := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind),
			pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 32), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
			pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false)}
		for _, a := range may {
			attrs = append(attrs, pkcs11.NewAttribute(a, true))
		}
		_, err := t.lib.GenerateKey(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, attrs)
		return err
	}), "making "+label)
}

// open makes the wrapping key and the first id-tag key, or sees that the
// wrapping key is there.
func (t *token) open(create bool) error {
	if !create {
		return failed(t.use(func(s pkcs11.SessionHandle) error {
			_, err := t.need(s, t.rootLabel())
			return err
		}), "looking for the wrapping key")
	}
	if err := t.make(t.rootLabel(), pkcs11.CKM_AES_KEY_GEN, pkcs11.CKK_AES, pkcs11.CKA_ENCRYPT, pkcs11.CKA_DECRYPT); err != nil {
		return err
	}
	return t.MakeTagKey(1)
}

// MakeTagKey implements custody.Provider.
func (t *token) MakeTagKey(version int) error {
	return t.make(t.tagLabel(version), pkcs11.CKM_GENERIC_SECRET_KEY_GEN, pkcs11.CKK_GENERIC_SECRET, pkcs11.CKA_SIGN)
}

// DestroyTagKey implements custody.Provider.
func (t *token) DestroyTagKey(version int) error {
	return failed(t.use(func(s pkcs11.SessionHandle) error {
		key, ok, err := t.find(s, t.tagLabel(version))
		if err != nil || !ok {
			return err
		}
		return t.lib.DestroyObject(s, key)
	}), "destroying "+t.tagLabel(version))
}

// Wrap implements custody.Provider: AES-256-GCM in the token; the IV, which some
// tokens insist on making themselves, stands in front.
func (t *token) Wrap(name string, key []byte) (blob []byte, err error) {
	if len(key) > custody.MaxKey {
		return nil, fault.New(fault.Invalid, "key", "a key to wrap is too long")
	}
	return blob, failed(t.use(func(s pkcs11.SessionHandle) error {
		root, err := t.need(s, t.rootLabel())
		if err != nil {
			return err
		}
		iv, err := t.lib.GenerateRandom(s, ivBytes)
		if err != nil {
			return err
		}
		params := pkcs11.NewGCMParams(iv, custody.AAD(name), tagBits)
		defer params.Free()
		if err := t.lib.EncryptInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, root); err != nil {
			return err
		}
		sealed, err := t.lib.Encrypt(s, key)
		if err != nil {
			return err
		}
		if used := params.IV(); len(used) == ivBytes {
			iv = used
		}
		blob = append(append([]byte{}, iv...), sealed...)
		return nil
	}), "wrapping a key")
}

// Unwrap implements custody.Provider.
func (t *token) Unwrap(name string, blob []byte) (key []byte, err error) {
	if len(blob) <= ivBytes+tagBits/8 || len(blob) > custody.MaxKey+ivBytes+tagBits/8 {
		return nil, custody.NotOpened()
	}
	return key, failed(t.use(func(s pkcs11.SessionHandle) error {
		root, err := t.need(s, t.rootLabel())
		if err != nil {
			return err
		}
		params := pkcs11.NewGCMParams(blob[:ivBytes], custody.AAD(name), tagBits)
		defer params.Free()
		if err := t.lib.DecryptInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, params)}, root); err != nil {
			return err
		}
		key, err = t.lib.Decrypt(s, blob[ivBytes:])
		if is(err, pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_FUNCTION_FAILED) {
			return custody.NotOpened() // what SoftHSM2 says of a wrong tag
		}
		return err
	}), "unwrapping a key")
}

// Tag implements custody.Provider.
func (t *token) Tag(version int, data []byte) (tag []byte, err error) {
	return tag, failed(t.use(func(s pkcs11.SessionHandle) error {
		key, err := t.need(s, t.tagLabel(version))
		if err != nil {
			return err
		}
		if err := t.lib.SignInit(s, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_SHA256_HMAC, nil)}, key); err != nil {
			return err
		}
		tag, err = t.lib.Sign(s, custody.TagInput(data))
		return err
	}), "tagging")
}
