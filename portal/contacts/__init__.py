"""Contacts: checked, saved, classified, listed, and compared with what the CRM knows."""
