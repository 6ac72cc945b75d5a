<?php sleep(5); echo "OK";
