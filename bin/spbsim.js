#!/usr/bin/env node
'use strict';

const { Bundle } = require('./load-bundle.js');

new Bundle().load('spbsim.js').main(process.argv);
