# Copyright (c) 2026, scap.images contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fleet page's script: filters over what is there already. Nothing depends on it."""

from __future__ import annotations

SCRIPT = r"""
"use strict";
(function(){
var form=document.getElementById("filters");if(!form){return;}
var rows=[].slice.call(document.querySelectorAll("#rows>tr"));
var count=document.getElementById("count");
var names=["text","state","severity","namespace","os","finding"];
var field={};names.forEach(function(n){field[n]=document.getElementById("by-"+n);});
var listed={};[].slice.call(document.querySelectorAll("#finding-names>option")).forEach(function(o,i){
listed[o.value.toLowerCase()]=String(i);});
function words(row,key){return (row.getAttribute(key)||"").split("\n");}
function fits(row,w){
if(w.state&&row.getAttribute("data-s")!==w.state){return false;}
if(w.os&&row.getAttribute("data-o")!==w.os){return false;}
if(w.severity&&(" "+row.getAttribute("data-v")+" ").indexOf(" "+w.severity+" ")<0){return false;}
if(w.namespace&&words(row,"data-n").indexOf(w.namespace)<0){return false;}
if(w.text&&row.textContent.toLowerCase().indexOf(w.text.toLowerCase())<0){return false;}
if(w.finding){var all=" "+row.getAttribute("data-f")+" ",want=w.finding.toLowerCase();
if(want in listed){return all.indexOf(" "+listed[want]+" ")>=0;}
return Object.keys(listed).some(function(n){return n.indexOf(want)>=0&&all.indexOf(" "+listed[n]+" ")>=0;});}
return true;}
function apply(){
var w={},hash=[];names.forEach(function(n){w[n]=field[n].value.trim();
if(w[n]){hash.push(n+"="+encodeURIComponent(w[n]));}});
var shown=0;rows.forEach(function(r){var f=fits(r,w);r.hidden=!f;if(f){shown++;}});
count.textContent=shown===rows.length?rows.length+" images":shown+" of "+rows.length+" images";
var to=hash.length?"#"+hash.join("&"):"#images";
if(hash.length||/=/.test(location.hash)){history.replaceState(null,"",to);}}
function read(){
var parts=location.hash.slice(1);if(parts.indexOf("=")<0){return false;}
names.forEach(function(n){field[n].value="";});
parts.split("&").forEach(function(p){var at=p.indexOf("="),n=p.slice(0,at);
if(names.indexOf(n)>=0){try{field[n].value=decodeURIComponent(p.slice(at+1));}catch(e){field[n].value="";}}});
return true;}
form.hidden=false;
form.addEventListener("input",apply);
form.addEventListener("submit",function(e){e.preventDefault();});
document.getElementById("clear").addEventListener("click",function(){
names.forEach(function(n){field[n].value="";});apply();field.text.focus();});
window.addEventListener("hashchange",function(){if(read()){apply();document.getElementById("images").scrollIntoView();}});
if(read()){apply();document.getElementById("images").scrollIntoView();}else{apply();}
})();
"""
