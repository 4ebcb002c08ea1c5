package postgres

import (
	"database/sql/driver"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"tikakosh/internal/fault"
)

// The types that stores use, by their number in PostgreSQL's catalogue pg_type.
const (
	oidBool    = 16
	oidBytes   = 17
	oidName    = 19
	oidInt8    = 20
	oidInt2    = 21
	oidInt4    = 23
	oidText    = 25
	oidFloat8  = 701
	oidUnknown = 705
	oidVarchar = 1043
	oidNumeric = 1700
)

// encode gives an argument the form it travels in: bytes as they are, all else as
// text, which the server reads by the type that the statement gives it.
func encode(v any) (raw []byte, format int16, err error) {
	switch v.(type) { // the usual ones, without a look at their kind
	case string, int64, []byte, nil:
	default:
		if v, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
			return nil, 0, err
		}
	}
	switch v := v.(type) {
	case nil:
		return nil, 0, nil
	case string:
		return []byte(v), 0, nil
	case int64:
		return strconv.AppendInt(nil, v, 10), 0, nil
	case []byte:
		return slices.Clone(v), 1, nil // the caller may use it again before it is sent
	case bool:
		return strconv.AppendBool(nil, v), 0, nil
	case float64:
		return strconv.AppendFloat(nil, v, 'g', -1, 64), 0, nil
	}
	return nil, 0, fault.New(fault.Internal, "argument", "an argument of a statement has a type that no store uses")
}

// decode reads a value in PostgreSQL's binary form. Bytes are not copied.
func decode(oid uint32, raw []byte) (driver.Value, error) {
	if raw == nil {
		return nil, nil
	}
	switch oid {
	case oidText, oidVarchar, oidName, oidUnknown:
		return string(raw), nil
	case oidBytes:
		return raw, nil
	case oidNumeric:
		return decodeNumeric(raw)
	}
	switch {
	case oid == oidInt8 && len(raw) == 8:
		return int64(binary.BigEndian.Uint64(raw)), nil //nolint:gosec // the sign is in it
	case oid == oidInt4 && len(raw) == 4:
		return int64(int32(binary.BigEndian.Uint32(raw))), nil //nolint:gosec // the sign is in it
	case oid == oidInt2 && len(raw) == 2:
		return int64(int16(binary.BigEndian.Uint16(raw))), nil //nolint:gosec // the sign is in it
	case oid == oidBool && len(raw) == 1:
		return raw[0] != 0, nil
	case oid == oidFloat8 && len(raw) == 8:
		return math.Float64frombits(binary.BigEndian.Uint64(raw)), nil
	}
	return nil, fault.New(fault.Internal, "column", "a column of a result has a type that no store uses")
}

// decodeNumeric reads a whole number, as SUM of a BIGINT makes one: digits to the
// base 10,000, the first with the weight given.
func decodeNumeric(raw []byte) (driver.Value, error) {
	const positive, negative = 0x0000, 0x4000
	bad := fault.New(fault.Internal, "column", "a number of a result is not whole")
	if len(raw) < 8 || len(raw) != 8+2*int(binary.BigEndian.Uint16(raw)) {
		return nil, bad
	}
	digits, weight := raw[8:], int(int16(binary.BigEndian.Uint16(raw[2:]))) //nolint:gosec // the sign is in it
	sign := binary.BigEndian.Uint16(raw[4:])
	if sign != positive && sign != negative || weight > 1000 || len(digits)/2 > weight+1 {
		return nil, bad
	}
	var b strings.Builder
	if sign == negative {
		b.WriteByte('-')
	}
	b.WriteByte('0')
	for i := 0; i <= weight; i++ {
		d := 0
		if 2*i < len(digits) {
			d = int(binary.BigEndian.Uint16(digits[2*i:]))
		}
		text := strconv.Itoa(d)
		b.WriteString("0000"[min(len(text), 4):] + text)
	}
	n, ok := new(big.Int).SetString(b.String(), 10)
	if !ok {
		return nil, bad
	}
	return n.String(), nil
}
