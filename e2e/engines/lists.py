"""Reads every list and every text of a lake with each engine, and compares.

python lists.py LAKE: a line per engine and table, exit 1 where one reads another
thing than pyarrow. Spark is left out where there is no Java.
"""

import collections
import glob
import json
import os
import shutil
import sys

import chdb
import duckdb
import fastparquet
import numpy
import polars
import pyarrow.parquet as parquet


def plain(value):
    """A value as JSON has it: every engine has types of its own for null and text."""
    if isinstance(value, (list, tuple, numpy.ndarray, polars.Series)):
        return [plain(v) for v in value]
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str) else None


def by_arrow(file, columns):
    table = parquet.read_table(file, columns=columns, partitioning=None)
    return {c: table[c].to_pylist() for c in columns}


def by_polars(file, columns):
    frame = polars.read_parquet(file, columns=columns, hive_partitioning=False)
    return {c: frame[c].to_list() for c in columns}


def by_duckdb(file, columns):
    names = ", ".join(f'"{c}"' for c in columns)
    rows = duckdb.sql(f"select {names} from read_parquet('{file}', hive_partitioning=false)").fetchall()
    return {c: [row[i] for row in rows] for i, c in enumerate(columns)}


def by_fastparquet(file, columns):
    frame = fastparquet.ParquetFile(file).to_pandas(columns=columns)
    return {c: list(frame[c]) for c in columns}


def by_clickhouse(file, columns):
    names = ", ".join(f"`{c}`" for c in columns)
    answer = chdb.query(f"select {names} from file('{file}', Parquet)", "JSONCompactEachRow").bytes().decode()
    rows = [json.loads(line) for line in answer.splitlines()]
    return {c: [row[i] for row in rows] for i, c in enumerate(columns)}


def by_spark():
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")

    def read(file, columns):
        rows = spark.read.parquet("file://" + file).select(*columns).collect()
        return {c: [row[c] for row in rows] for c in columns}

    return read


def main(lake):
    engines = {
        "polars": by_polars, "duckdb": by_duckdb, "fastparquet": by_fastparquet, "clickhouse": by_clickhouse,
    }
    if shutil.which("java"):
        engines["spark"] = by_spark()
    counts, wrong = collections.Counter(), collections.Counter()
    seen = collections.Counter()
    for file in sorted(glob.glob(os.path.join(os.path.abspath(lake), "*", "ingest_date=*", "*.parquet"))):
        table = file.split(os.sep)[-3]
        schema = parquet.read_schema(file)
        lists = [f.name for f in schema if str(f.type).startswith("list")]
        columns = lists + [f.name for f in schema if str(f.type) == "string"]
        want = {c: [plain(v) for v in values] for c, values in by_arrow(file, columns).items()}
        for c in lists:
            seen["null lists"] += want[c].count(None)
            seen["empty lists"] += want[c].count([])
            seen["lists with items"] += sum(1 for v in want[c] if v)
        for name, read in engines.items():
            got = read(file, columns)
            for c in columns:
                expected = want[c]
                if name == "clickhouse" and c in lists:
                    expected = [v or [] for v in expected]  # it has no null arrays
                counts[name, table] += len(expected)
                values = [plain(v) for v in got[c]]
                if values != expected:
                    wrong[name, table] += 1
                    row = next((i for i, (a, b) in enumerate(zip(expected, values)) if a != b), min(len(expected), len(values)))
                    print(f"{name}: {table}.{c}, row {row}: {values[row:row + 1]!r:.200}, pyarrow has {expected[row:row + 1]!r:.200}")
    for (name, table), n in sorted(counts.items()):
        print(f"{name:12} {table:16} {n:9,} values {'WRONG' if wrong[name, table] else 'as pyarrow has them'}")
    print(", ".join(f"{n:,} {what}" for what, n in seen.items()))
    if len(counts) == 0 or not all(seen.values()):
        sys.exit("the lake has too little in it to show anything")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1])
