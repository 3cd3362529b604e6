package parquet

import (
	"fmt"
	"strconv"
	"strings"

	arrow "github.com/apache/arrow/go/v17/parquet"
	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/apache/arrow/go/v17/parquet/schema"
)

const (
	// createdBy has the form that readers look for before they trust
	// statistics.
	createdBy = "syncer version 1.0.0"
	// PageBytes is the size at which a page ends: what a reader decompresses
	// at a time, and what is held a few times of each column being encoded.
	PageBytes = 256 << 10
	// StatsBytes bounds the text kept as a column's least and greatest value.
	StatsBytes = 128
	noFieldID  = -1
	noLength   = -1
)

// schemaOf returns the schema of a file with these columns.
func schemaOf(name string, columns []Column) (*schema.GroupNode, error) {
	fields := make(schema.FieldList, 0, len(columns))
	for _, c := range columns {
		node, err := nodeOf(c)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		fields = append(fields, node)
	}
	return schema.NewGroupNode(name, arrow.Repetitions.Required, fields, noFieldID)
}

func nodeOf(c Column) (schema.Node, error) {
	repetition := arrow.Repetitions.Optional
	if c.Required {
		repetition = arrow.Repetitions.Required
	}
	if c.Type == StringList {
		return listNode(c.Name, repetition)
	}
	logical, physical := formOf(c.Type)
	return schema.NewPrimitiveNodeLogical(c.Name, repetition, logical, physical, noLength, noFieldID)
}

// formOf returns the type of all columns but lists.
func formOf(t Type) (schema.LogicalType, arrow.Type) {
	switch t {
	case Decimal:
		return schema.NewDecimalLogicalType(DecimalDigits, DecimalScale), arrow.Types.Int64
	case Date:
		return schema.DateLogicalType{}, arrow.Types.Int32
	case Timestamp:
		return schema.NewTimestampLogicalType(true, schema.TimeUnitMicros), arrow.Types.Int64
	case Bool:
		return schema.NoLogicalType{}, arrow.Types.Boolean
	case Int32:
		return schema.NoLogicalType{}, arrow.Types.Int32
	case Int64:
		return schema.NoLogicalType{}, arrow.Types.Int64
	case Bytes:
		return schema.NoLogicalType{}, arrow.Types.ByteArray
	case String, JSON, StringList:
	}
	return schema.StringLogicalType{}, arrow.Types.ByteArray
}

// listNode returns the three levels of a list, whose elements are never
// null.
func listNode(name string, repetition arrow.Repetition) (schema.Node, error) {
	element, err := schema.NewPrimitiveNodeLogical("element", arrow.Repetitions.Required,
		schema.StringLogicalType{}, arrow.Types.ByteArray, noLength, noFieldID)
	if err != nil {
		return nil, err
	}
	repeated, err := schema.NewGroupNode("list", arrow.Repetitions.Repeated, schema.FieldList{element}, noFieldID)
	if err != nil {
		return nil, err
	}
	return schema.NewGroupNodeLogical(name, repetition, schema.FieldList{repeated}, schema.ListLogicalType{}, noFieldID)
}

// pathOf is the name that writer properties know a column by.
func pathOf(c Column) string {
	if c.Type == StringList {
		return c.Name + ".list.element"
	}
	return c.Name
}

// writerProperties says how columns are encoded. Data pages are of version 1,
// which every engine reads.
func writerProperties(columns []Column, codec compress.Compression, level int) *arrow.WriterProperties {
	props := []arrow.WriterProperty{
		arrow.WithVersion(arrow.V2_LATEST),
		arrow.WithCreatedBy(createdBy),
		arrow.WithCompression(codec),
		arrow.WithCompressionLevel(level),
	}
	for _, c := range columns {
		if c.Type == Bytes {
			props = append(props, arrow.WithStatsFor(pathOf(c), false))
		}
	}
	return arrow.NewWriterProperties(props...)
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
