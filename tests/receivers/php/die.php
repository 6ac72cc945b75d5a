<?php die("Connection failed: Access denied for user 'crm'@'localhost'");
