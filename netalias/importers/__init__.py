"""Importers: files of other programs -> lines of netalias.conf(5); one file a format."""
