package sink

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

const (
	// createdBy has the form that readers look for before they trust
	// statistics.
	createdBy = "syncer version 1.0.0"
	// pageBytes is the size at which a page ends: what a reader decompresses
	// at a time, and what is held a few times of each column being encoded.
	pageBytes = 256 << 10
	// statsBytes bounds the text kept as a column's least and greatest value.
	statsBytes = 128
	// batchSlots is how many slots are read at a time.
	batchSlots = 1024
	noFieldID  = -1
	noLength   = -1
)

// parquetSchema returns the schema of a file with these columns.
func parquetSchema(name string, columns []Column) (*schema.GroupNode, error) {
	fields := make(schema.FieldList, 0, len(columns))
	for _, c := range columns {
		node, err := parquetNode(c)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		fields = append(fields, node)
	}
	return schema.NewGroupNode(name, parquet.Repetitions.Required, fields, noFieldID)
}

func parquetNode(c Column) (schema.Node, error) {
	repetition := parquet.Repetitions.Optional
	if c.Required {
		repetition = parquet.Repetitions.Required
	}
	if c.Type == TypeStringList {
		return parquetList(c.Name, repetition)
	}
	logical, physical := parquetType(c.Type)
	return schema.NewPrimitiveNodeLogical(c.Name, repetition, logical, physical, noLength, noFieldID)
}

// parquetType returns the type of all columns but lists.
func parquetType(t ColumnType) (schema.LogicalType, parquet.Type) {
	switch t {
	case TypeDecimal:
		return schema.NewDecimalLogicalType(decimalDigits, decimalScale), parquet.Types.Int64
	case TypeDate:
		return schema.DateLogicalType{}, parquet.Types.Int32
	case TypeTimestamp:
		return schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), parquet.Types.Int64
	case TypeBool:
		return schema.NoLogicalType{}, parquet.Types.Boolean
	case TypeInt32:
		return schema.NoLogicalType{}, parquet.Types.Int32
	case TypeInt64:
		return schema.NoLogicalType{}, parquet.Types.Int64
	case typeBytes:
		return schema.NoLogicalType{}, parquet.Types.ByteArray
	case TypeString, TypeJSON, TypeStringList:
	}
	return schema.StringLogicalType{}, parquet.Types.ByteArray
}

// parquetList returns the three levels of a list, whose elements are never
// null.
func parquetList(name string, repetition parquet.Repetition) (schema.Node, error) {
	element, err := schema.NewPrimitiveNodeLogical("element", parquet.Repetitions.Required,
		schema.StringLogicalType{}, parquet.Types.ByteArray, noLength, noFieldID)
	if err != nil {
		return nil, err
	}
	repeated, err := schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{element}, noFieldID)
	if err != nil {
		return nil, err
	}
	return schema.NewGroupNodeLogical(name, repetition, schema.FieldList{repeated}, schema.ListLogicalType{}, noFieldID)
}

// parquetPath is the name that writer properties know a column by.
func parquetPath(c Column) string {
	if c.Type == TypeStringList {
		return c.Name + ".list.element"
	}
	return c.Name
}

// writerProperties says how columns are encoded. Data pages are of version 1,
// which every engine reads.
func writerProperties(columns []Column, codec compress.Compression, level int) *parquet.WriterProperties {
	props := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy(createdBy),
		parquet.WithCompression(codec),
		parquet.WithCompressionLevel(level),
	}
	for _, c := range columns {
		if c.Type == typeBytes {
			props = append(props, parquet.WithStatsFor(parquetPath(c), false))
		}
	}
	return parquet.NewWriterProperties(props...)
}

const maxZstdLevel = 22

// parseCompression reads what the configuration calls a compression.
func parseCompression(s string) (codec compress.Compression, level int, err error) {
	switch s {
	case "", "zstd":
		return compress.Codecs.Zstd, 1, nil
	case "snappy":
		return compress.Codecs.Snappy, compress.DefaultCompressionLevel, nil
	case "none":
		return compress.Codecs.Uncompressed, compress.DefaultCompressionLevel, nil
	}
	if digits, ok := strings.CutPrefix(s, "zstd:"); ok {
		if level, err := strconv.Atoi(digits); err == nil && level >= 1 && level <= maxZstdLevel {
			return compress.Codecs.Zstd, level, nil
		}
	}
	return 0, 0, fmt.Errorf("compression %q: want zstd, zstd:1 to zstd:%d, snappy or none", s, maxZstdLevel)
}
